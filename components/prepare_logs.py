"""Component: turn the shop's raw logs into the canonical log."""

from kfp.dsl import Artifact, Dataset, Input, Metrics, Output

from components._image import component


@component
def prepare_logs(spec: Input[Artifact], log: Output[Dataset], summary: Output[Metrics]) -> None:
    """Turn the shop's raw logs into the canonical log.

    Needs: 2 GiB; DuckDB spills to /tmp what is more.

    Again: writes the same tables.

    Fails: the export cannot be read as the spec says: the message names file, row and column.

    Args:
        spec: Checked spec, from check-spec.
        log: Canonical log: impressions, events, users, items (Parquet).
        summary: Rows of each table, and of the export that were left out.
    """
    from shopguide.logs import prepare_logs
    from shopguide.spec import load_spec
    from shopguide.step import log_metrics, step

    with step("prepare_logs"):
        found = prepare_logs(load_spec(spec.path), log.path)
        log_metrics(summary, {**found.rows, "left out": sum(found.dropped.values())})
