"""Component: features into the offline store, and the training set."""

from kfp.dsl import Artifact, Dataset, Input, Output

from components._image import component


@component
def materialize_features(
    spec: Input[Artifact], log: Input[Dataset], run_id: str, training_set: Output[Dataset]
) -> None:
    """Compute the features, register them in Feast, join the training set.

    Needs: 2 GiB and two CPUs; DuckDB spills to /tmp what is more.

    Again: writes the same rows over, and registers nothing twice.

    Fails: a join lost or doubled a row, or the log does not cover the periods.

    Args:
        spec: Checked spec, from check-spec.
        log: Canonical log, from prepare-logs.
        run_id: Id of the run: keeps the cache from answering for the feature store.
        training_set: Labelled impressions with their features as of `shown_at`: train, valid
            and test (Parquet). The online store waits until they are validated.
    """
    from shopguide.features import materialize_features
    from shopguide.spec import load_spec
    from shopguide.step import step

    with step("materialize_features"):
        materialize_features(load_spec(spec.path), log.path, training_set.path)
