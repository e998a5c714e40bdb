"""Component: train the multi-task model and write its bundle."""

from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from components._image import component


@component
def train_mtl(
    spec: Input[Artifact],
    training_set: Input[Dataset],
    model: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Train the multi-task model and write its bundle.

    Args:
        spec: Checked spec, from check-spec.
        training_set: Training set, from materialize-features.
        model: Model bundle without fusion weights (ONNX, preprocessing, calibrators).
        metrics: AUC of each task on the validation period.
    """
    from shopguide.spec import load_spec
    from shopguide.step import log_metrics, step
    from shopguide.training import train_mtl

    with step("train_mtl"):
        summary = train_mtl(load_spec(spec.path), training_set.path, model.path)
        log_metrics(metrics, {f"valid_auc_{t}": auc for t, auc in summary.valid_auc.items()})
