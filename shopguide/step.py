"""A pipeline step: its log lines, its record of time and memory, and how it fails.

Example:
    >>> from shopguide.step import step
    >>> with step("prepare_logs"):
    ...     pass
"""

import fcntl
import json
import logging
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from shopguide.errors import ShopguideError

EVENTS_VARIABLE = "SHOPGUIDE_EVENTS"
"""Environment variable with the file to which steps append one JSON line an event."""

LOCKS_VARIABLE = "SHOPGUIDE_STEP_LOCKS"
"""Environment variable with the lock files that a step holds while it works."""

TURNS_VARIABLE = "SHOPGUIDE_STEP_TURNS"
"""Environment variable with the lock file for which the parts of a step wait on one machine."""

_log = logging.getLogger(__name__)


class MetricsArtifact(Protocol):
    """What a component gets to log numbers to; kfp's Metrics is one."""

    path: str

    def log_metric(self, metric: str, value: float) -> None:
        """Show a number on the run's page."""


def log_metrics(artifact: MetricsArtifact, metrics: Mapping[str, float]) -> None:
    """Show numbers on the run's page, and leave them in the artifact's file too.

    Without a file, kfp's local cache takes the step's outputs for lost and runs it again.

    Args:
        artifact: output of the component.
        metrics: by name.
    """
    for name, value in metrics.items():
        artifact.log_metric(name, value)
    Path(artifact.path).write_text(json.dumps(dict(metrics), indent=1) + "\n", encoding="utf-8")


@contextmanager
def step(name: str, part: str = "") -> Iterator[None]:
    """Run the body of one pipeline step.

    A `ShopguideError` ends the process with its exit code and one readable line instead of a
    traceback; any other exception is a slip of ours and keeps its traceback.

    Args:
        name: name of the component.
        part: which of several that do the same on different things; where the runner shares one
            machine among them, they take turns.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout
    )
    with _turn(part):
        yield from _recorded(name, part)


def _recorded(name: str, part: str) -> Iterator[None]:
    started = time.monotonic()
    who = {"step": name} | ({"part": part} if part else {})
    _record({**who, "event": "start"})
    try:
        with _holding_locks():
            yield
    except ShopguideError as error:
        _log.error("%s", error)
        _finish(who, "failed", started, {"error": str(error), "exit_code": error.exit_code})
        raise SystemExit(error.exit_code) from None
    except BaseException as error:
        _finish(who, "failed", started, {"error": repr(error), "exit_code": 3})
        raise
    _finish(who, "done", started, {})


def first_failure() -> str | None:
    """Return why this run failed, in one line: what the first failed step said, or who was killed.

    To be asked within a step, which does not count. None where neither happened, or where steps
    keep no file of events, as on a cluster.
    """
    path = Path(os.environ.get(EVENTS_VARIABLE, ""))
    if not path.is_file():
        return None
    at_work: list[str] = []
    for event in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        name = event["step"].replace("_", "-")
        if event["event"] == "failed":
            first, *others = str(event["error"]).splitlines() or [""]
            return f"{name}: {first}" + (f" (and {len(others)} more)" if others else "")
        if event["event"] == "start":
            at_work.append(name)
        else:
            at_work.remove(name)
    return f"{at_work[0]}: killed from outside" if len(at_work) > 1 else None


@contextmanager
def _holding_locks() -> Iterator[None]:
    """Hold the runner's locks for as long as the step works, even if the runner is killed."""
    with ExitStack() as stack:
        for path in filter(None, os.environ.get(LOCKS_VARIABLE, "").split(os.pathsep)):
            lock = stack.enter_context(Path(path).open("a", encoding="utf-8"))
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def _turn(part: str) -> Iterator[None]:
    """Wait until no other part is at work, where one machine is shared: each uses all cores."""
    path = os.environ.get(TURNS_VARIABLE)
    if not part or path is None:
        yield
        return
    with Path(path).open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _finish(who: dict[str, str], event: str, started: float, more: dict[str, str | int]) -> None:
    seconds = round(time.monotonic() - started, 2)
    peak = max(
        resource.getrusage(whose).ru_maxrss
        for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    _record({**who, "event": event, "seconds": seconds, "peak_mb": peak // 1024, **more})


def _record(event: Mapping[str, str | int | float]) -> None:
    path = os.environ.get(EVENTS_VARIABLE)
    if path is None:
        return
    with Path(path).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(event) + "\n")
