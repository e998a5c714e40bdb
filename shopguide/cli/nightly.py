"""`shopguide nightly`: land what was delivered, train, decide, keep the champion or replace it."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stderr,
    stdout,
    verdict_of_errors,
)

if TYPE_CHECKING:
    from shopguide.loop import Night


def nightly(
    spec: SpecPath = DEFAULT_SPEC,
    log: Annotated[
        Path | None, typer.Option(help="Canonical log whose days land first; see prepare.")
    ] = None,
    days: Annotated[
        Path | None, typer.Option(help="Folder of the days. Default: days in the spec's home.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Date of the night. Default: after the last day."),
    ] = None,
    closed: Annotated[
        list[datetime] | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day on which nothing was shown; repeat."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the nights.")] = Path("runs/nights"),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Run one night; whatever fails, the champion stays. Run again, it goes on or does nothing."""
    from shopguide.logs.days import days_of, land
    from shopguide.spec import load_spec

    with verdict_of_errors(as_json=as_json):
        loaded = load_spec(spec, profile=profile, overrides=overrides or [])
        store = days or Path(loaded.home) / "days"
        if log is not None:
            landed = land(store, log, closed={day.date() for day in closed or []})
            new, known = len(landed.new), len(landed.known)
            stderr.print(f"days      {new} landed, {known} were there", highlight=False)
        there = days_of(store)
        night = as_of.date() if as_of else (there[-1] + timedelta(days=1) if there else date.max)

        from shopguide.loop import run_night  # it loads torch and MLflow

        found = run_night(
            loaded, store, night, out, tell=lambda step: stderr.print(f"  {step}", style="dim")
        )
    if as_json:
        print_json(asdict(found) | {"folder": str(out / found.date)})
    else:
        _print(found, out)
    if found.verdict == "invalid_data":
        raise typer.Exit(1)


def _print(found: "Night", out: Path) -> None:
    gain = "" if found.gain is None else f", J − 1 {100 * found.gain:+.2f} %"
    lower = "" if found.lower is None else f", at least {100 * found.lower:+.2f} %"
    again = " (it was over before)" if found.repeated else ""
    stdout.print(f"night     {found.date}{again}", highlight=False)
    stdout.print(f"verdict   {found.verdict}{gain}{lower}", highlight=False)
    for reason in found.reasons:
        stdout.print(f"          {reason}", highlight=False, soft_wrap=True, markup=False)
    stdout.print(f"champion  {found.champion or 'none yet'}", highlight=False)
    stdout.print(f"→ {out / found.date}", highlight=False)
