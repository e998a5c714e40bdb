"""Component: register the bundle and move the alias `champion` to it."""

from kfp.dsl import Artifact, Input, Model

from components._image import component


@component
def promote_model(
    spec: Input[Artifact],
    model: Input[Model],
    decision: Input[Artifact],
    bento: Input[Artifact],
) -> str:
    """Register the bundle and move the alias `champion` to it.

    Needs: 500 MiB; it writes to the registry.

    Again: registers nothing twice: the bundle's checksum names it.

    Fails: the decision is about another bundle, does not promote, or another promotion came
    first, which is recorded as a refusal. The champion stays.

    Args:
        spec: Checked spec, from check-spec.
        model: Bundle that passed the gate and was blessed.
        decision: Decision, from evaluate-gate; it must be about this bundle.
        bento: Bento, from package-bento.

    Returns:
        Version of the new champion.
    """
    from shopguide.registry import promote_model
    from shopguide.spec import load_spec
    from shopguide.step import step

    with step("promote_model"):
        return promote_model(load_spec(spec.path), model.path, decision.path, bento.path)
