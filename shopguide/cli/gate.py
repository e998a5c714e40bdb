"""`shopguide gate`: decide on a challenger, or audit the gate itself."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stdout,
)
from shopguide.gate import Decision, decide
from shopguide.spec import load_spec

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Decide on a challenger, or audit the gate itself.",
)


@app.command("decide")
def decide_command(
    challenger: Annotated[Path, typer.Option(help="Bundle to judge, its λ solved.")],
    test_set: Annotated[Path, typer.Option(help="Training set, or a Parquet file of its kind.")],
    spec: SpecPath = DEFAULT_SPEC,
    champion: Annotated[Path | None, typer.Option(help="Bundle in production, if any.")] = None,
    champion_version: Annotated[str | None, typer.Option(help="Its registry version.")] = None,
    out: Annotated[Path, typer.Option(help="Directory of decision.json and its reports.")] = Path(
        "decision"
    ),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Judge a challenger on the test period: exit 0 promotes, 1 does not."""
    decision = decide(
        load_spec(spec, profile=profile, overrides=overrides or []),
        challenger,
        test_set,
        out,
        champion=champion,
        champion_version=champion_version,
    )
    if as_json:
        print_json(decision.to_json())
    else:
        _print(decision, out)
    if not decision.promote:
        raise typer.Exit(1)


def _print(decision: Decision, out: Path) -> None:
    from rich.markup import escape

    from shopguide.gate.charts import forest_rows
    from shopguide.gate.wording import headline, percent, verdict_sentence

    colour = {"promote": "green", "refuse": "red", "invalid": "yellow"}[decision.verdict]
    stdout.print(f"[bold {colour}]{headline(decision)}[/]", highlight=False)
    stdout.print(escape(verdict_sentence(decision)), highlight=False)
    for reason in decision.because[1:]:
        stdout.print(f"  also: {escape(reason)}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("against the champion" if decision.objective else "against the baseline")
    for title in ("change", "lower", "upper", "must be above"):
        table.add_column(title, justify="right")
    for row in forest_rows(decision):
        figures = (row.estimate, row.lower, row.upper, row.limit)
        table.add_row(escape(row.label), *map(percent, figures))
    stdout.print(table)
    stdout.print(f"report    {out / 'report.html'}", highlight=False, soft_wrap=True)
    stdout.print(f"decision  {out / 'decision.json'}", highlight=False, soft_wrap=True)
