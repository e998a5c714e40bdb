"""Follow a run on a server: what its steps do, and how it ends."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rich.console import Console

from pipelines.kubeflow.client import Kubeflow
from pipelines.kubeflow.refusals import KubeflowError
from pipelines.kubeflow.states import FINAL, mark, seconds_of_task, steps_of

_WORDS = 300  # characters of an error on the terminal


def get_run(server: Kubeflow, run_id: str) -> Any:  # noqa: ANN401 - a model of kfp_server_api
    """Return a run as the server describes it.

    Raises:
        KubeflowError: there is none of this id, or the server does not answer.
    """
    return server.ask(f"read run {run_id}", server.runs.run_service_get_run, run_id)


def newest_runs(server: Kubeflow, experiment_id: str | None, limit: int) -> list[Any]:
    """Return the newest runs, the newest first.

    Args:
        server: that holds them.
        experiment_id: of the experiment; None: of all in the namespace.
        limit: how many at most.
    """
    runs = server.listed(
        "list runs",
        server.runs.run_service_list_runs,
        "runs",
        experiment_id=experiment_id,
        namespace=None if experiment_id else server.access.namespace,
        sort_by="created_at desc",
    )
    return [run for run, _ in zip(runs, range(limit), strict=False)]


def wait(
    server: Kubeflow,
    run_id: str,
    console: Console,
    *,
    timeout: float | None,
    interval: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Any:  # noqa: ANN401
    """Print each step as it changes, until the run ends or patience does.

    A server that is away for a while is asked on: the run does not need it.

    Args:
        server: that runs it.
        run_id: of the run.
        console: where to print.
        timeout: patience, s; None: without end.
        interval: pause between two questions, s.
        sleep: how to pause.

    Returns:
        The run; not in a final state if the patience was over first.

    Raises:
        KubeflowError: the server refused, or was away when the patience was over.
    """
    end = None if timeout is None else time.monotonic() + timeout
    shown: dict[str, str] = {}
    away = False
    while True:
        late = end is not None and time.monotonic() >= end
        try:
            run = get_run(server, run_id)
        except KubeflowError as error:
            if late or not error.passing:
                raise
            if not away:
                console.print(f"  [yellow]![/] {error.what}; asking on", highlight=False)
            away = True
        else:
            away = False
            print_changes(run, shown, console)
            if run.state in FINAL or late:
                return run
        left = interval if end is None else max(0.0, min(interval, end - time.monotonic()))
        sleep(left)


def print_changes(run: Any, shown: dict[str, str], console: Console) -> None:  # noqa: ANN401
    """Print a line for each step whose state is not the one that was shown last.

    Args:
        run: as the server describes it.
        shown: last state by task; changed here.
        console: where to print.
    """
    for task in steps_of(run):
        state = str(task.state or "PENDING")
        if shown.get(task.task_id) != state and state not in (
            "PENDING",
            "RUNTIME_STATE_UNSPECIFIED",
        ):
            _print_step(task, state, console)
        shown[task.task_id] = state


def print_run(run: Any, console: Console, url: str) -> None:  # noqa: ANN401
    """Print a run, its steps, and what went wrong."""
    console.print(f"{run.display_name}  {run.run_id}", highlight=False, markup=False)
    print_changes(run, {}, console)
    print_end(run, console, url)


def print_end(run: Any, console: Console, url: str) -> None:  # noqa: ANN401
    """Print a run's state, its error, and where to look."""
    state = str(run.state or "PENDING")
    colour = {"SUCCEEDED": "green", "FAILED": "red", "CANCELED": "red"}.get(state, "yellow")
    console.print(f"[bold {colour}]{state}[/]", highlight=False)
    words = _message(run)
    if words:
        console.print(f"error     {words}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"page      {url}", highlight=False, markup=False, soft_wrap=True)


def summary(run: Any, url: str) -> dict[str, object]:  # noqa: ANN401
    """Return a run for `--json`: its state, and each step's state and seconds."""
    return {
        "run_id": run.run_id,
        "run_name": run.display_name,
        "state": run.state or "PENDING",
        "error": _message(run),
        "created_at": _iso(run.created_at),
        "finished_at": _iso(run.finished_at),
        "recurring_run_id": run.recurring_run_id or None,
        "steps": [
            {
                "step": task.display_name,
                "state": task.state or "PENDING",
                "seconds": seconds_of_task(task),
                "error": _said(task),
            }
            for task in steps_of(run)
        ],
        "url": url,
    }


def print_list(runs: list[Any], console: Console) -> None:
    """Print runs, one a line."""
    for run in runs:
        at = "" if run.created_at is None else f"{run.created_at:%Y-%m-%d %H:%M}"
        line = f"{at:<17}{run.state or 'PENDING':<10} {run.run_id}  {run.display_name}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _print_step(task: Any, state: str, console: Console) -> None:  # noqa: ANN401
    seconds = seconds_of_task(task)
    took = "" if seconds is None or state not in FINAL else f"{seconds:>7.1f} s"
    words = {"SUCCEEDED": "", "RUNNING": "at work", "SKIPPED": "from the cache, or not wanted"}
    line = f"{task.display_name:<22}{took or words.get(state, state.lower()):>9}"
    console.print(f"  {mark(state)} ", end="")
    said = _said(task)
    console.print(f"{line}{f'  {said}' if said else ''}".rstrip(), highlight=False, markup=False)


def _said(task: Any) -> str | None:  # noqa: ANN401
    return _short(task.error.message) if task.error is not None and task.error.message else None


def _message(run: Any) -> str | None:  # noqa: ANN401
    if run.error is not None and run.error.message:
        return _short(run.error.message)
    if run.state != "FAILED":
        return None
    failed = [f"{task.display_name}: {_said(task)}" for task in steps_of(run) if _said(task)]
    return failed[0] if failed else None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WORDS else f"{line[:_WORDS]}…"


def _iso(at: datetime | None) -> str | None:
    return None if at is None or at.year <= 1970 else at.isoformat()
