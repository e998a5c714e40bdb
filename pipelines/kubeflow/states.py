"""The states of a run, and of its steps."""

from datetime import UTC, datetime
from typing import Any

SUCCEEDED = "SUCCEEDED"

FINAL = frozenset({SUCCEEDED, "SKIPPED", "FAILED", "CANCELED"})
"""States that do not change any more."""

_MARKS = {
    SUCCEEDED: "[green]✓[/]",
    "SKIPPED": "[dim]–[/]",
    "FAILED": "[red]✗[/]",
    "CANCELED": "[red]✗[/]",
}


def mark(state: str) -> str:
    """Return the sign before a step in this state."""
    return _MARKS.get(state, "[blue]…[/]")


def tasks_of(run: Any) -> list[Any]:  # noqa: ANN401 - a model of kfp_server_api
    """Return a run's tasks in the order of their start, as the server has them."""
    details = run.run_details
    tasks = list((details and details.task_details) or [])
    return sorted(tasks, key=lambda task: (task.start_time is None, str(task.start_time)))


def steps_of(run: Any) -> list[Any]:  # noqa: ANN401
    """Return the tasks that are steps: not drivers, and not what groups others."""
    return [task for task in tasks_of(run) if not _is_plumbing(str(task.display_name or ""))]


def seconds_of_task(task: Any) -> float | None:  # noqa: ANN401
    """Return how long a task took, s; None while it runs or if it never started."""
    start, end = _at(task.start_time), _at(task.end_time)
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())


def _at(time: datetime | None) -> datetime | None:
    """The server writes 1970 for what has not happened."""
    if time is None:
        return None
    known = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return known if known.year > 1970 else None


def _is_plumbing(name: str) -> bool:
    return (
        not name
        or name in ("executor", "root", "driver")
        or name.endswith("-driver")
        or name.startswith(("condition-", "for-loop-", "exit-handler-", "iteration-", "root."))
    )
