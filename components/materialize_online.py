"""Component: the latest features into the online store."""

from kfp.dsl import Artifact, Input

from components._image import component


@component
def materialize_online(spec: Input[Artifact]) -> None:
    """Bring the online store up to the latest features; runs once the data are validated.

    Needs: 1 GiB; it writes to the online store.

    Again: writes what changed since, and is never cached.

    Fails: the online store does not answer; what is in it stays.

    Args:
        spec: Checked spec, from check-spec.
    """
    from shopguide.features import materialize_online
    from shopguide.spec import load_spec
    from shopguide.step import step

    with step("materialize_online"):
        materialize_online(load_spec(spec.path))
