"""`shopguide package`: build the Bento of a bundle and bless it over HTTP."""

from dataclasses import asdict
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


def package(
    bundle: Annotated[Path, typer.Option(help="Bundle with fusion weights.")],
    training_set: Annotated[Path, typer.Option(help="Its test period is replayed.")],
    spec: SpecPath = DEFAULT_SPEC,
    out: Annotated[Path, typer.Option(help="Directory of bento.txt and blessing.json.")] = Path(
        "runs/bento"
    ),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Build the Bento, start it, compare it with the bundle; exit 1 if it may not serve."""
    from shopguide.packaging import package_bento
    from shopguide.spec import load_spec

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    blessing = package_bento(loaded, bundle, training_set, out)
    if as_json:
        print_json({"blessed": blessing.blessed, **asdict(blessing)})
    else:
        verdict = "blessed" if blessing.blessed else "not blessed: " + "; ".join(blessing.reasons)
        stdout.print(f"{blessing.tag} {verdict}", highlight=False, soft_wrap=True)
    if not blessing.blessed:
        raise typer.Exit(1)
