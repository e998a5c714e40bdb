"""Component: hand on the candidate that did best on the validation period."""

from kfp.dsl import Artifact, Input, Metrics, Model, Output

from components._image import component


@component
def choose_candidate(
    candidates: Input[list[Model]],
    model: Output[Model],
    choice: Output[Artifact],
    metrics: Output[Metrics],
) -> None:
    """Hand on the candidate that did best on the validation period.

    Needs: 200 MiB; it copies one bundle.

    Again: chooses the same bundle.

    Fails: a bundle is broken, or none was trained.

    Args:
        candidates: Bundles of all candidates, from train-mtl.
        model: The bundle with the lowest validation loss.
        choice: All candidates, best first (candidates.json).
        metrics: Their number and their validation losses.
    """
    from pathlib import Path

    from shopguide.bundle.choice import choose_candidate
    from shopguide.step import log_metrics, step

    with step("choose_candidate"):
        chosen = choose_candidate([candidate.path for candidate in candidates], model.path)
        chosen.write(Path(choice.path))
        log_metrics(metrics, chosen.metrics())
