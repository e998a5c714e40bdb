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
    """Bring the online store up to the latest features; entities that did not change stay.

    What the store has lost since the last time is filled anew, and told.
    """
    from shopguide.features import materialize_online
    from shopguide.spec import load_spec

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    written = materialize_online(loaded)
    if as_json:
        print_json(
            {
                "written": {view: done.entities for view, done in written.items()},
                "lost": {view: done.lost for view, done in written.items() if done.lost},
            }
        )
        return
    for view, done in written.items():
        rebuilt = f"   rebuilt: the store had lost {done.lost:,} entities" if done.lost else ""
        stdout.print(
            f"{view:<20}{done.entities:>12,} entities{rebuilt}", highlight=False, soft_wrap=True
        )
    variable = loaded.features.online_store.connection_env
    place = f"in {loaded.home}" if variable is None else f"of {variable}"
    stdout.print(f"→ online store {place}", highlight=False)
