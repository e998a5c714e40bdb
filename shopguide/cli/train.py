"""`shopguide train`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stderr,
    stdout,
)
from shopguide.spec import load_spec

if TYPE_CHECKING:
    from shopguide import training


def train(
    spec: SpecPath = DEFAULT_SPEC,
    training_set: Annotated[Path, typer.Option(help="Directory of the training set.")] = Path(
        "runs/training_set"
    ),
    out: Annotated[Path, typer.Option(help="Directory of the bundle.")] = Path("runs/model"),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Train the multi-task model and write its bundle."""
    from shopguide.training import train_mtl

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    with _progress() as report:
        summary = train_mtl(loaded, training_set, out, progress=report)
    if as_json:
        times = {"seconds": summary.seconds, "rows_per_second": summary.rows_per_second}
        fields = summary.record.model_dump(mode="json")
        print_json({"version": summary.version, "bundle": str(out), **times, **fields})
        return
    record = summary.record
    stdout.print(
        f"{out}: version {summary.version}, {record.rows:,} rows, best epoch {record.best_epoch} "
        f"of {len(record.epochs)}, {summary.rows_per_second:,.0f} rows/s, {summary.seconds:.0f} s",
        highlight=False,
    )
    for task, auc in record.valid_auc.items():
        kept = record.calibration[task].kept
        stdout.print(f"  {task}: validation AUC {auc:.4f}, calibrator {kept}", highlight=False)
    for task, rho in record.valid_spearman.items():
        stdout.print(f"  {task}: validation rank correlation {rho:.4f}", highlight=False)


@contextmanager
def _progress() -> "Iterator[training.Progress]":
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        line = bar.add_task("reading the training set")

        def report(tick: "training.Tick") -> None:
            speed = f"{tick.rows_per_second:,.0f} rows/s, {tick.seconds_left:.0f} s left"
            where = f"epoch {tick.epoch}, step {tick.step} of at most {tick.steps}"
            bar.update(line, description=f"{where}, loss {tick.loss:.4f}, {speed}")

        yield report
