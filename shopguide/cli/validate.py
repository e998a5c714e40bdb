"""`shopguide validate`: check the canonical log and the training set."""

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


def validate(
    spec: SpecPath = DEFAULT_SPEC,
    log: Annotated[Path, typer.Option(help="Canonical log.")] = Path("runs/log"),
    training_set: Annotated[Path, typer.Option(help="Training set.")] = Path("runs/training_set"),
    report: Annotated[Path, typer.Option(help="Page to write.")] = Path("runs/data.html"),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Check everything that can be checked before training; exit 1 if it must not go on."""
    from shopguide.spec import load_spec
    from shopguide.validation import validate_data

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    result = validate_data(loaded, log, training_set, report)
    if as_json:
        print_json(result.to_dict())
    else:
        for check in (*result.failures, *result.warnings):
            stdout.print(
                f"{check.severity}: {check.where}: {check.found}; expected: {check.expected}. "
                f"{check.fix}.",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
        verdict = "valid" if result.passes else "invalid"
        stdout.print(f"{verdict}: {len(result.checks)} checks → {report}", highlight=False)
    if not result.passes:
        raise typer.Exit(1)
