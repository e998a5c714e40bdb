"""`shopguide evaluate --off-policy`, printed."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from shopguide.cli.common import print_json, stdout

if TYPE_CHECKING:
    from shopguide.evaluation.off_policy.answer import Answer


def show_answer(found: "Answer", out: Path | None, *, as_json: bool) -> None:
    """Write an answer and print it.

    Raises:
        typer.Exit: with 1, where the log cannot answer.
    """
    from shopguide.evaluation.off_policy.page import PAGE, write_answer

    if out is not None:
        write_answer(found, out)
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)
        if out is not None:
            stdout.print(f"report  {out / PAGE}", highlight=False, soft_wrap=True)
    if not found.answers:
        raise typer.Exit(1)


def _print(found: "Answer") -> None:
    """Print the statement, the estimates of every task and what the weights look like."""
    from shopguide.evaluation.charts import figure
    from shopguide.evaluation.off_policy.page import CAVEAT, ESTIMATORS, every

    colour = "green" if found.answers else "red"
    stdout.print(f"[bold {colour}]{escape(found.statement)}[/]", highlight=False, soft_wrap=True)
    stdout.print(
        f"target {escape(found.target)}, {found.rows:,} decisions of {escape(found.where)}",
        highlight=False,
        soft_wrap=True,
    )
    for task, one in found.tasks.items():
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column(escape(found.titles[task]))
        for title in ("value", "lower", "upper", "standard error"):
            table.add_column(title, justify="right")
        for name, e in every(one).items():
            values = (e.value, e.lower, e.upper, e.standard_error)
            table.add_row(ESTIMATORS[name][0], *(figure(value, 6) for value in values))
        stdout.print(table)
        gain = (figure(x, 6) for x in (one.gain.value, one.gain.lower, one.gain.upper))
        stdout.print("  over what was logged: {}, between {} and {}".format(*gain), highlight=False)
    if found.tasks:
        stdout.print(CAVEAT, highlight=False)
    for one in list(found.tasks.values())[:1]:
        d = one.diagnostics
        stdout.print(
            f"weights: mean {figure(d.mean_weight)} ± {figure(d.mean_weight_error)} "
            f"(p = {figure(d.mean_weight_p)}), effective rows {d.ess:,.1f} of {d.rows:,}, "
            f"largest {d.largest_weight:,.2f}, none in {d.zero_share:.1%} of the rows",
            highlight=False,
            soft_wrap=True,
        )
