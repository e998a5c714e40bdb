"""Component: train the multi-task model and write its bundle."""

from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from components._image import component


@component
def train_mtl(
    spec: Input[Artifact],
    training_set: Input[Dataset],
    candidate: str,
    model: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Train one candidate of the multi-task model, and write its bundle.

    A try that is repeated goes on from the last checkpoint.

    Args:
        spec: Checked spec, from check-spec.
        training_set: Training set, from materialize-features.
        candidate: Its name, from check-spec.
        model: Model bundle without fusion weights (ONNX, preprocessing, calibrators).
        metrics: On the validation period; task weights and gradient cosines; candidates trained.
    """
    from pathlib import Path

    from shopguide.spec import load_spec
    from shopguide.step import log_metrics, step
    from shopguide.training import Surroundings, train_candidate

    with step("train_mtl", candidate):
        around = Surroundings(checkpoint=Path(f"{model.path}.checkpoint"), resume=True)
        summary = train_candidate(
            load_spec(spec.path), training_set.path, model.path, candidate, around=around
        )
        log_metrics(metrics, summary.metrics())
