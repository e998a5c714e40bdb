"""What a person reads on the terminal when a run is over."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.outcome import RunResult
from shopguide.gate.wording import popularity


def print_summary(result: RunResult, console: Console) -> None:
    """Print the verdict, the objective and the goals with their intervals, and where to look.

    Args:
        result: of a run that reached a decision.
        console: where to print.
    """
    assert result.decision is not None, "a run without a decision has raised"
    decision = json.loads(Path(result.decision).read_text(encoding="utf-8"))
    console.print()
    console.print(_verdict(result, decision), highlight=False)
    comparison = decision["objective"] or decision["baseline"]
    if comparison:
        console.print(_goals(decision, comparison), highlight=False)
    reasons = ", ".join(decision["reasons"])
    if reasons:
        console.print(f"reasons   {reasons}", highlight=False, soft_wrap=True)
    whose = "" if result.promoted else " (the challenger's; `shopguide champion` has the other)"
    lines = {
        "report": shown(result.report),
        "decision": shown(result.decision),
        "model": shown(result.model) + (whose if result.champion_version else ""),
        "bento": result.bento,
        "champion": result.champion_version or "none",
    }
    for name, text in lines.items():
        if text:
            console.print(f"{name:<10}{text}", highlight=False, soft_wrap=True, markup=False)


def shown(path: str | Path) -> str:
    """Return a path as a person would type it here: relative, if it is below this directory."""
    below = Path(path).is_relative_to(Path.cwd())
    return str(Path(path).relative_to(Path.cwd())) if below else str(path)


def _verdict(result: RunResult, decision: dict[str, object]) -> str:
    if result.promoted:
        return f"[bold green]PROMOTED[/] as champion version {result.champion_version}"
    if decision["verdict"] == "promote":
        return "[bold red]NOT PROMOTED[/]: the gate said yes, but the Bento was not blessed"
    stays = "the champion stays ({})".format(result.champion_version or "none yet")
    if decision["verdict"] == "invalid":  # the words of the report's headline
        return f"[bold yellow]NO FAIR COMPARISON[/]: {stays}"
    return f"[bold yellow]REFUSED[/]: {stays}"


def _goals(decision: dict[str, dict[str, dict[str, float]]], total: dict[str, float]) -> Table:
    feature = str(total.get("feature"))
    against = "champion" if decision["objective"] else popularity(feature)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"against {against}")
    for title in ("change", "lower", "upper"):
        table.add_column(title, justify="right")
    rows = {"J − 1": total} | _changes(decision, total)
    for name, row in rows.items():
        change = row.get("estimate", row.get("change"))
        table.add_row(name, *(_percent(x) for x in (change, row.get("lower"), row.get("upper"))))
    return table


def _changes(
    decision: dict[str, dict[str, dict[str, float]]], total: dict[str, float]
) -> dict[str, dict[str, float]]:
    goals = decision["goals"] if decision["objective"] else total.get("goals", {})
    return dict(goals) if isinstance(goals, dict) else {}


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.2f} %"
