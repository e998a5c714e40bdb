"""`shopguide materialize`: latest features → online store."""

from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stdout,
)


def materialize(
    spec: SpecPath = DEFAULT_SPEC,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Bring the online store up to the latest features; entities that did not change stay."""
    from shopguide.features import materialize_online
    from shopguide.spec import load_spec

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    written = materialize_online(loaded)
    if as_json:
        print_json({"written": written})
        return
    for view, entities in written.items():
        stdout.print(f"{view:<20}{entities:>12,} entities", highlight=False)
    stdout.print(f"→ online store in {loaded.home}", highlight=False)
