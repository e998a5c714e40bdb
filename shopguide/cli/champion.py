"""`shopguide champion`: the bundle in production, copied to where other verbs can read it."""

from pathlib import Path
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


def champion(
    spec: SpecPath = DEFAULT_SPEC,
    out: Annotated[Path, typer.Option(help="Directory of the copy.")] = Path("runs/champion"),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Copy the champion's bundle out of the registry; exit 1 if there is no champion yet."""
    from shopguide.registry import copy_champion
    from shopguide.spec import load_spec

    version = copy_champion(load_spec(spec, profile=profile, overrides=overrides or []), out)
    if as_json:
        print_json({"champion_version": version, "bundle": str(out)})
    else:
        stdout.print(f"version {version} → {out}", highlight=False, soft_wrap=True)
