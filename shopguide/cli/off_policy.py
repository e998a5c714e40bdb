"""`shopguide evaluate --off-policy`: its options, and its answer as it is printed."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from shopguide.cli.common import print_json, refuse_ignored, stdout
from shopguide.errors import ShopguideError

if TYPE_CHECKING:
    from shopguide.evaluation.off_policy.answer import Answer


Split = Annotated[
    Literal["train", "valid", "test"], typer.Option(help="Period of the training set.")
]
OffPolicy = Annotated[
    bool, typer.Option("--off-policy", help="Ask what another policy would have brought instead.")
]
Target = Annotated[
    Literal["ranking", "uniform", "frequencies"],
    typer.Option(help="Off-policy: the bundle's ranking, chance, or another log's policy."),
]
TargetLog = Annotated[
    Path | None, typer.Option(help="Off-policy: log whose frequencies are the target.")
]
By = Annotated[str | None, typer.Option(help="Off-policy: task that ranks in place of the score.")]
Unit = Annotated[Literal["user", "row"], typer.Option(help="Off-policy: what is independent.")]
Clip = Annotated[
    float, typer.Option(help="Off-policy: bound of the clipped estimators' weights, above 0.")
]
Switch = Annotated[
    float,
    typer.Option(help="Off-policy: weight above which SWITCH-DR trusts its model, above 0."),
]
Interval = Annotated[
    Literal["bootstrap", "delta"], typer.Option(help="Off-policy: method of the intervals.")
]
SpecOfLog = Annotated[
    Path | None,
    typer.Option(help="Off-policy: spec (YAML) of the log. Default: the bundle's.", dir_okay=False),
]

_SPEC_ONLY = ("overrides", "profile")
OFF_POLICY_ONLY = (
    *("target", "target_log", "by", "unit", "clip", "switch", "interval", "spec"),
    *_SPEC_ONLY,
)
"""Parameters of `shopguide evaluate` that mean nothing without --off-policy."""


def check_question(
    context: typer.Context,
    target: str,
    bundle: Path | None,
    spec: Path | None,
    *,
    clip: float,
    switch: float,
) -> None:
    """Refuse a question that cannot be asked, or that says more than it asks.

    Raises:
        ShopguideError: an option would do nothing, or a bound is not above 0.
    """
    refuse_ignored(context, ("slices", "k"), "with --off-policy")
    if target != "ranking":
        refuse_ignored(context, ("by",), f"with --target {target}, which no task ranks")
        if bundle is not None and spec is not None:
            refuse_ignored(context, ("bundle",), f"with --target {target} and --spec")
    if target != "frequencies":
        refuse_ignored(context, ("target_log",), f"with --target {target}")
    if spec is None:
        refuse_ignored(context, _SPEC_ONLY, "without --spec")
    for option, value in (("--clip", clip), ("--switch", switch)):
        if not (value > 0 and math.isfinite(value)):
            raise ShopguideError(
                f"{option} {value:g}", "is a weight, and must be a number above 0", "Give another"
            )


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
