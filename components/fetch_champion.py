"""Component: fetch the champion's bundle from the registry."""

from kfp.dsl import Artifact, Input, Model, Output

from components._image import component


@component
def fetch_champion(spec: Input[Artifact], champion: Output[Model]) -> str:
    """Fetch the champion's bundle from the registry.

    Needs: 200 MiB; it reads the registry.

    Again: fetches who is champion then: never cached.

    Fails: the registry does not answer, or holds a broken bundle.

    Args:
        spec: Checked spec, from check-spec.
        champion: Bundle in production; an empty directory when there is none yet.

    Returns:
        Version of the champion; empty when there is none.
    """
    from shopguide.registry import fetch_champion
    from shopguide.spec import load_spec
    from shopguide.step import step

    with step("fetch_champion"):
        version = fetch_champion(load_spec(spec.path), champion.path)
    return version or ""
