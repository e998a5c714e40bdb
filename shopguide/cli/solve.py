"""`shopguide solve`: the fusion weights of a bundle, without retraining."""

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


def solve(
    bundle: Annotated[Path, typer.Option(help="Trained bundle.")],
    training_set: Annotated[Path, typer.Option(help="Its validation period is read.")],
    spec: SpecPath = DEFAULT_SPEC,
    out: Annotated[Path, typer.Option(help="Directory of the new bundle.")] = Path("runs/model"),
    champion: Annotated[
        Path | None, typer.Option(help="Bundle in production: its goals are not to be lost.")
    ] = None,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Solve for the trade-off on the validation period; another weight needs no training."""
    from shopguide.objective import solve_objective
    from shopguide.spec import load_spec

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    summary = solve_objective(loaded, bundle, training_set, out, champion=champion)
    if as_json:
        print_json(asdict(summary))
        return
    for task, weight in summary.weights.items():
        stdout.print(f"λ {task:<16}{weight:>8.3f}", highlight=False)
    stdout.print(
        f"J {summary.objective:.4f} on validation ({summary.reference}: 1), "
        f"{summary.evaluated} tried → {out}",
        highlight=False,
    )
