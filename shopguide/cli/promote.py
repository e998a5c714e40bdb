"""`shopguide promote`: register a bundle that the gate promoted, and make it the champion."""

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


def promote(
    bundle: Annotated[Path, typer.Option(help="Bundle that the decision is about.")],
    decision: Annotated[Path, typer.Option(help="decision.json, or its directory.")],
    spec: SpecPath = DEFAULT_SPEC,
    bento: Annotated[
        Path | None, typer.Option(help="Directory that `shopguide package` wrote.")
    ] = None,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Make a bundle the champion, if the decision says so and the champion has not moved."""
    from shopguide.registry import promote_model
    from shopguide.spec import load_spec

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    version = promote_model(loaded, bundle, decision, bento)
    if as_json:
        print_json({"champion_version": version})
    else:
        stdout.print(f"version {version} is the champion")
        stdout.print("services of this home follow within seconds")
