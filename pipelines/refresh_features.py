"""Bring the online store up to new logs, without a new model."""

from kfp import dsl

import components as steps


@dsl.pipeline(
    name="refresh-features",
    description="Compute a shop's features from its logs; bring the online store up to them.",
)
def refresh_features(spec_text: str, run_id: str) -> None:
    """Chain the components; the online store changes only if the data are valid.

    Args:
        spec_text: Spec as YAML or JSON, profile and overrides applied.
        run_id: Id of the run; unique, or that of an unfinished run to take it up again.
    """
    record = steps.record_run(spec_text=spec_text, run_id=run_id).set_caching_options(False)
    with dsl.ExitHandler(record, name="refresh-features"):
        checked = steps.check_spec(spec_text=spec_text, run_id=run_id)
        spec = checked.outputs["spec"]
        log = steps.prepare_logs(spec=spec).outputs["log"]
        training_set = steps.materialize_features(spec=spec, log=log, run_id=run_id).outputs[
            "training_set"
        ]
        validated = steps.validate_data(spec=spec, log=log, training_set=training_set)
        with dsl.If(validated.outputs["Output"] == True, name="data-is-valid"):  # noqa: E712 - kfp compiles the comparison
            steps.materialize_online(spec=spec).set_caching_options(False)
        with dsl.Else(name="data-is-invalid"):
            steps.stop_on_invalid_data(failed=validated.outputs["failed"]).set_caching_options(
                False
            )
