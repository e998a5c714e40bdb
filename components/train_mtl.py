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

    Needs: 2 GiB and as many CPUs as `training.threads`; rows are read by parts, the tables of
    embeddings are in memory.

    Again: goes on from the last checkpoint of the same try, and ends in the same model.

    Fails: the training set lacks a task's positives, or the loss is no number.

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
