"""What a finished run left, gathered from kfp's own layout."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.progress import StepEvent
from shopguide.errors import ShopguideError


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Args:
        run_id: id of the run.
        verdict: promote, refuse or invalid.
        promoted: whether the champion changed; a promoted verdict still needs a blessed Bento.
        decision: path of decision.json; None when the data was invalid.
        report: path of the page to read first.
        model: path of the bundle that was judged, promoted or not.
        bento: tag of the Bento that was built.
        champion_version: version of the champion after the run; None when there is none.
        steps: what each step took.
    """

    run_id: str
    verdict: str
    promoted: bool
    decision: str | None
    report: str
    model: str
    bento: str | None
    champion_version: str | None
    steps: list[StepEvent]

    def to_dict(self) -> dict[str, object]:
        """Return the fields for `--json`, the steps as seconds and MB.

        The parts of a step that ran several times, as candidates do, are one: Σ s, largest MB.
        """
        steps: dict[str, dict[str, float]] = {}
        for event in self.steps:
            if event.event == "done":
                so_far = steps.get(event.step, {"seconds": 0.0, "peak_mb": 0})
                steps[event.step] = {
                    "seconds": round(so_far["seconds"] + event.seconds, 2),
                    "peak_mb": max(so_far["peak_mb"], event.peak_mb),
                }
        return asdict(self) | {"steps": steps}


def results_of(spec: Path) -> Path:
    """Return where a run's results go if nobody says: each spec file has a folder of its own.

    Args:
        spec: path of the spec file.
    """
    return Path("runs") / spec.stem


_DECISION = ("decision.json", "report.html", "report.md")
_FILES = (*_DECISION, "data.html", "bento.txt")
_FOLDERS = {"model": "bundle.json", "training_set": "training_set.json"}  # each with its marker


def clear(out: Path) -> None:
    """Remove an earlier run's results, so that none is taken for this run's.

    Args:
        out: directory of the results.

    Raises:
        ShopguideError: it holds a `model` or `training_set` that no run has written.
    """
    for folder, marker in _FOLDERS.items():
        if (out / folder).exists() and not (out / folder / marker).is_file():
            raise ShopguideError(
                str(out / folder), "exists and is not of an earlier run", "Name another --out"
            )
    for name in _FILES:
        (out / name).unlink(missing_ok=True)


def keep_data_page(root: Path, out: Path) -> Path | None:
    """Copy the page about the data, which a run that stops at invalid data has too.

    Args:
        root: kfp's pipeline root of this run id.
        out: directory of the results.

    Returns:
        Where it is; None if the run did not come as far.
    """
    found = sorted(root.glob("train-and-promote-*/validate-data/report"))
    if not found:
        return None
    shutil.copyfile(found[-1], out / "data.html")
    return out / "data.html"


def gather(root: Path, out: Path, run_id: str, events: list[StepEvent]) -> RunResult:
    """Bring the newest outputs of the steps from kfp's layout to where a user looks for them.

    The next run writes over them; decision and pages are kept in `history/RUN_ID` too.

    Args:
        root: kfp's pipeline root of this run id.
        out: directory of the results.
        run_id: id of the run.
        events: what the steps recorded.
    """
    gate = _output(root, "evaluate-gate", "decision")
    kept = out / "history" / run_id
    kept.mkdir(parents=True, exist_ok=True)
    for name in _DECISION:
        shutil.copyfile(gate / name, out / name)
        shutil.copyfile(gate / name, kept / name)
    if (out / "data.html").exists():  # of this run: `clear` has removed any former one
        shutil.copyfile(out / "data.html", kept / "data.html")
    _replace_tree(_output(root, "solve-objective", "solved"), out / "model")
    training_set = _output(root, "materialize-features", "training_set")
    _replace_tree(training_set, out / "training_set", copy=_link)
    decision = json.loads((out / "decision.json").read_text(encoding="utf-8"))
    bento = None
    if any(event.step == "package_bento" for event in events):
        packaged = _output(root, "package-bento", "bento")
        shutil.copyfile(packaged / "bento.txt", out / "bento.txt")
        bento = (out / "bento.txt").read_text(encoding="utf-8").split()[0]
    promoted = any(event.step == "promote_model" and event.event == "done" for event in events)
    version = _returned(root, "promote-model" if promoted else "fetch-champion")
    return RunResult(
        run_id=run_id,
        verdict=decision["verdict"],
        promoted=promoted,
        decision=str(out / "decision.json"),
        report=str(out / "report.html"),
        model=str(out / "model"),
        bento=bento,
        champion_version=version or None,
        steps=events,
    )


def _replace_tree(
    source: Path, target: Path, copy: Callable[[str, str], object] = shutil.copy2
) -> None:
    staged = target.with_name(f".{target.name}.new")
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(source, staged, copy_function=copy)
    shutil.rmtree(target, ignore_errors=True)
    staged.rename(target)


def _link(source: str, target: str) -> None:
    """Give a large file a second name; where the file system cannot, copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _output(root: Path, task: str, name: str) -> Path:
    found = sorted(root.glob(f"train-and-promote-*/{task}/{name}"))
    assert found, f"{task} left no {name}"
    return found[-1]  # kfp names its directories by time; a resumed run has several


def _returned(root: Path, task: str) -> str:
    output = json.loads(_output(root, task, "executor_output.json").read_text(encoding="utf-8"))
    return str(output["parameterValues"]["Output"])
