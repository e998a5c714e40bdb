"""Component: record how the run ended, whatever happened in it."""

from kfp.dsl import PipelineTaskFinalStatus

from components._image import component


@component
def record_run(spec_text: str, run_id: str, status: PipelineTaskFinalStatus) -> None:
    """Record how the run ended, whatever happened in it.

    Needs: 200 MiB; it writes to the registry.

    Again: a failure stands in the history once.

    Fails: never for what went wrong in the run; the champion stays as it is.

    Args:
        spec_text: Spec as YAML or JSON, profile and overrides applied.
        run_id: Id of the run.
        status: How the steps ended.
    """
    from shopguide.registry import record_run
    from shopguide.spec import check_text
    from shopguide.step import first_failure, step

    with step("record_run"):
        spec = check_text(spec_text, where=f"spec of run {run_id}")
        error = first_failure() or status.error_message
        attempt = status.pipeline_job_resource_name
        record_run(spec, run_id=run_id, state=status.state, error=error, attempt=attempt)
