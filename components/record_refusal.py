"""Component: record why a challenger was not promoted; the champion stays as it is."""

from kfp.dsl import Artifact, Input, Model

from components._image import component


@component
def record_refusal(
    spec: Input[Artifact], model: Input[Model], decision: Input[Artifact], reason: str
) -> None:
    """Record why a challenger was not promoted; the champion stays as it is.

    Needs: 500 MiB; it writes to the registry.

    Again: stands in the history once: the decision's checksum names it.

    Fails: the registry does not answer.

    Args:
        spec: Checked spec, from check-spec.
        model: Bundle of the challenger.
        decision: Decision, from evaluate-gate.
        reason: `gate` or `blessing`: which of the two said no.
    """
    from shopguide.registry import record_refusal
    from shopguide.spec import load_spec
    from shopguide.step import step

    with step("record_refusal"):
        record_refusal(load_spec(spec.path), model.path, decision.path, reason=reason)
