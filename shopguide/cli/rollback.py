"""`shopguide rollback`: return to the former champion."""

from typing import Annotated

import typer

from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stdout,
)


def rollback(
    reason: Annotated[str, typer.Option(help="Why, for the history.")],
    spec: SpecPath = DEFAULT_SPEC,
    to: Annotated[str | None, typer.Option(help="Version; the former champion if none.")] = None,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Return to the former champion, and write why."""
    from shopguide.registry import rollback as roll_back
    from shopguide.spec import load_spec

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    version = roll_back(loaded, reason=reason, to=to)
    if as_json:
        print_json({"champion_version": version})
    else:
        stdout.print(f"version {version} is the champion again")
        stdout.print("services of this home follow within seconds")
