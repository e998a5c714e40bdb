"""`shopguide prepare`: raw logs → canonical log."""

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


def prepare(
    spec: SpecPath = DEFAULT_SPEC,
    out: Annotated[Path, typer.Option(help="Directory of the canonical log.")] = Path("runs/log"),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Turn raw logs into the canonical log: impressions, events, users, items."""
    from shopguide.logs import prepare_logs
    from shopguide.spec import load_spec

    summary = prepare_logs(load_spec(spec, profile=profile, overrides=overrides or []), out)
    if as_json:
        print_json(asdict(summary))
        return
    for table, rows in summary.rows.items():
        stdout.print(f"{table:<14}{rows:>12,}", highlight=False)
    for reason, rows in summary.dropped.items():
        stdout.print(f"left out      {rows:>12,}  {reason}", highlight=False, soft_wrap=True)
    for text in (*summary.examples, *summary.notes):
        stdout.print(f"note: {text}", highlight=False, soft_wrap=True, markup=False)
    stdout.print(f"→ {out}", highlight=False)
