"""How training is shown while it goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from shopguide.cli.common import stderr

if TYPE_CHECKING:
    from shopguide import training


def leads() -> bool:
    """Whether this process is the one that writes and speaks."""
    from shopguide.training.distributed import environment_rank

    return environment_rank() == 0


@contextmanager
def progress() -> "Iterator[training.Progress]":
    """Show how training goes while the body runs; what it gives is called now and then."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    hidden = not leads() or not stderr.is_terminal
    with Progress(*columns, console=stderr, transient=True, disable=hidden) as bar:
        line = bar.add_task("reading the training set")

        def report(tick: "training.Tick") -> None:
            speed = f"{tick.rows_per_second:,.0f} rows/s, {tick.seconds_left:.0f} s left"
            where = f"epoch {tick.epoch}, step {tick.step} of at most {tick.steps}"
            bar.update(line, description=f"{where}, loss {tick.loss:.4f}, {speed}")

        yield report
