"""Run the compiled main pipeline on this machine, each step in a process of its own."""

import contextlib
import fcntl
import json
import logging
import os
import shutil
import uuid
import warnings
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, TypeVar

from kfp import components, local
from rich.console import Console

from pipelines.compiling import ROOT
from pipelines.failures import explain
from pipelines.outcome import RunResult, clear, gather, keep_data_page
from pipelines.progress import Progress, read_events
from pipelines.spec_text import spec_text
from pipelines.summary import shown
from shopguide.errors import ShopguideError
from shopguide.spec import Spec
from shopguide.spec.data import CompleteJourney
from shopguide.spec.event_log import Attributes, EventLog
from shopguide.step import EVENTS_VARIABLE, LOCKS_VARIABLE, TURNS_VARIABLE

STEP_LOCK = "step.lock"
"""File that every running step holds, in the home and beside the results."""

_Files = TypeVar("_Files", EventLog, Attributes)

COMPILED = ROOT / "pipelines" / "compiled" / "train_and_promote.yaml"


def run_locally(spec: Spec, out: Path, console: Console, *, resume: bool = False) -> RunResult:
    """Run the compiled pipeline from its committed YAML, and gather what it left in `out`.

    Args:
        spec: checked spec; its relative paths are taken from the working directory.
        out: directory of the results.
        console: where progress goes.
        resume: take up the last unfinished run of `out`: its finished steps are not run again.

    Raises:
        ShopguideError: a step found bad input, or another run holds the same home.
    """
    spec = _absolute(spec)
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with _only_run(Path(spec.home)), _only_run(out):
        run_id = _run_id(out, resume=resume)
        root = out / "steps" / run_id
        root.mkdir(parents=True, exist_ok=True)
        events = root / "events.jsonl"
        events.unlink(missing_ok=True)
        clear(out)
        try:
            _execute(spec, run_id, root, out / "run.log", events, console)
        finally:
            page = keep_data_page(root, out)
            if page is not None:
                console.print(f"data      {shown(page)}", highlight=False, soft_wrap=True)
        finished = read_events(events)
        result = gather(root, out, run_id, finished)
    _mark(out, run_id, "finished")
    for other in (out / "steps").iterdir():
        if other.name != run_id:
            shutil.rmtree(other, ignore_errors=True)
    return result


def _absolute(spec: Spec) -> Spec:
    """Anchor the spec's paths here: a step's working directory is not promised."""
    changes: dict[str, object] = {"home": str(Path(spec.home).resolve())}
    data = spec.data
    if isinstance(data, CompleteJourney) and data.path is not None:
        changes["data"] = data.model_copy(update={"path": str(Path(data.path).resolve())})
    elif isinstance(data, EventLog):
        found = {
            name: _anchored(file)
            for name, file in (("items", data.items), ("users", data.users))
            if file is not None
        }
        changes["data"] = _anchored(data).model_copy(update=found)
    return spec.model_copy(update=changes)


def _anchored(files: _Files) -> _Files:
    if isinstance(files.path, str):
        return files.model_copy(update={"path": str(Path(files.path).resolve())})
    return files.model_copy(update={"path": [str(Path(path).resolve()) for path in files.path]})


def _run_id(out: Path, *, resume: bool) -> str:
    state = out / "run.json"
    if resume and state.exists():
        try:
            last = json.loads(state.read_text(encoding="utf-8"))
            unfinished, run_id = last["state"] == "running", str(last["run_id"])
        except (ValueError, KeyError, TypeError):
            raise ShopguideError(
                str(state), "is not the state of a run", "Start a new run, without --resume"
            ) from None
        if unfinished:
            return run_id
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    _mark(out, run_id, "running")
    return run_id


def _mark(out: Path, run_id: str, state: str) -> None:
    temporary = out / ".run.json"
    temporary.write_text(json.dumps({"run_id": run_id, "state": state}) + "\n", encoding="utf-8")
    temporary.replace(out / "run.json")


@contextlib.contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    """Keep two runs from writing the same feature store, registry or results at once."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ShopguideError(
                str(folder), "another run is using this directory", "Wait for it, or name another"
            ) from None
        _refuse_orphans(folder)
        yield


def _refuse_orphans(folder: Path) -> None:
    """A step outlives a runner that was killed, and holds the lock of steps for as long."""
    with (folder / STEP_LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ShopguideError(
                str(folder),
                "a step of a run that was stopped is still at work here",
                "Wait until it ends, or stop it",
            ) from None


def _execute(
    spec: Spec, run_id: str, root: Path, log: Path, events: Path, console: Console
) -> None:
    locks = (Path(spec.home) / STEP_LOCK, log.parent / STEP_LOCK)
    with _environment(events, locks), log.open("w", encoding="utf-8") as stream, _logged(stream):
        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(root),
            enable_caching=True,  # within this run id only: see train_and_promote
            cache_root=str(root / "cache"),
        )
        pipeline = components.load_component_from_file(str(COMPILED))
        with Progress(events, console):
            try:
                pipeline(spec_text=spec_text(spec), run_id=run_id)
            except RuntimeError as error:
                failure: RuntimeError | None = error
            else:
                failure = None
    if failure is not None:
        raise explain(failure, read_events(events), log)


@contextlib.contextmanager
def _environment(events: Path, locks: Iterable[Path]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ |= {
        EVENTS_VARIABLE: str(events),
        LOCKS_VARIABLE: os.pathsep.join(map(str, locks)),
        TURNS_VARIABLE: str(events.with_name("turns.lock")),
        "PYTHONUNBUFFERED": "1",
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _logged(stream: TextIO) -> Iterator[None]:
    """Send what kfp prints and logs to a file; the console shows progress instead."""
    with (
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        level = logging.getLogger().level
        try:
            yield
        finally:
            logging.getLogger().setLevel(level)
