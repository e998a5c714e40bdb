"""Component: check the spec and hand it to the other steps."""

from kfp.dsl import Artifact, Output

from components._image import component


@component
def check_spec(spec_text: str, run_id: str, spec: Output[Artifact]) -> list[str]:
    """Check the spec and hand it to the other steps.

    Needs: 100 MiB.

    Again: writes the same file.

    Fails: the spec is not valid: the message names the field, and what to write.

    Args:
        spec_text: Spec as YAML or JSON, profile and overrides applied.
        run_id: Id of this run; with the same id again, finished steps may be reused.
        spec: The checked spec (YAML).

    Returns:
        Names of the models to train.
    """
    from shopguide.features.catalogue import check_names
    from shopguide.spec import check_text, dump_spec
    from shopguide.spec.candidates import candidate_specs
    from shopguide.step import step

    with step("check_spec"):
        checked = check_text(spec_text, where=f"spec of run {run_id}")
        check_names(checked)
        dump_spec(checked, spec.path)
        return [candidate.name for candidate in candidate_specs(checked)]
