"""Component: solve for the fusion weights on the validation period."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output

from components._image import component


@component
def solve_objective(
    spec: Input[Artifact],
    model: Input[Model],
    champion: Input[Model],
    training_set: Input[Dataset],
    solved: Output[Model],
    metrics: Output[Metrics],
    front: Output[HTML],
) -> None:
    """Solve for the fusion weights on the validation period.

    Needs: 1 GiB and a CPU; more candidates of λ take longer, not more memory.

    Again: finds the same weights: the search is seeded.

    Fails: the spec's floors cannot be met together on the validation period, or a bundle is
    broken.

    Args:
        spec: Checked spec, from check-spec.
        model: Bundle, from train-mtl.
        champion: Bundle in production, from fetch-champion; an empty directory: none.
        training_set: Training set; only its validation period is read.
        solved: The bundle with its fusion weights λ and solution.json.
        metrics: λ of each task, J on the validation period, and the front's hypervolume.
        front: The Pareto front as one self-contained page, the chosen point in it.
    """
    from shopguide.objective import solve_objective
    from shopguide.spec import load_spec
    from shopguide.step import log_metrics, step

    with step("solve_objective"):
        summary = solve_objective(
            load_spec(spec.path),
            model.path,
            training_set.path,
            solved.path,
            champion=champion.path,
            page=front.path,
        )
        log_metrics(metrics, summary.metrics())
