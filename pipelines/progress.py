"""Follow the steps of a running pipeline: one line a step, with its time and memory."""

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from rich.console import Console
from rich.status import Status


@dataclass(frozen=True, slots=True)
class StepEvent:
    """What a step wrote when it started or ended.

    Args:
        step: component's name.
        event: start, done or failed.
        seconds: wall time of the body, without the interpreter's start.
        peak_mb: largest resident memory, MB.
        error: message of a failed step.
        exit_code: what the process will exit with; 1 no, 2 bad input, 3 a slip of ours.
        part: which of several that do the same, as a candidate to train; empty: the only one.
    """

    step: str
    event: Literal["start", "done", "failed"]
    seconds: float = 0.0
    peak_mb: int = 0
    error: str | None = None
    exit_code: int = 0
    part: str = ""

    @property
    def who(self) -> tuple[str, str]:
        """What a later event of the same process has in common with this one."""
        return self.step, self.part


def read_events(path: Path) -> list[StepEvent]:
    """Read the events written so far; a line that is still being written is left for later."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [StepEvent(**json.loads(line)) for line in lines if line.endswith("\n")]


class Progress:
    """Print each finished step while a pipeline runs in this process.

    Args:
        events: file that the steps append to.
        console: where to print; a spinner names the running step if it is a terminal.
    """

    def __init__(self, events: Path, console: Console) -> None:
        self._events = events
        self._console = console
        self._seen = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._status: Status | None = None

    def __enter__(self) -> Self:
        """Start to follow."""
        if self._console.is_terminal:
            self._status = self._console.status("starting")
            self._status.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Print what is left, and stop."""
        del kind, error, trace
        self._stop.set()
        self._thread.join()
        self._print_new()
        if self._status is not None:
            self._status.stop()

    def _follow(self) -> None:
        while not self._stop.is_set():
            self._print_new()
            time.sleep(0.2)

    def _print_new(self) -> None:
        events = read_events(self._events)
        for event in events[self._seen :]:
            name = event.step.replace("_", "-")
            if event.event == "start" and self._status is not None:
                self._status.update(f"{name} …")
            elif event.event != "start":
                mark = "[green]✓[/]" if event.event == "done" else "[red]✗[/]"
                self._console.print(
                    f"  {mark} {name:<22}{event.seconds:>7.1f} s {event.peak_mb:>7,} MB"
                    f"{'  ' if event.part else ''}{event.part}",
                    highlight=False,
                )
        self._seen = len(events)
