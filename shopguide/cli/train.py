"""`shopguide train`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopguide.cli._champion import Champion, champion_of
from shopguide.cli._study import run_study_command
from shopguide.cli._training import leads, progress
from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stdout,
)
from shopguide.errors import ShopguideError
from shopguide.files import write_json, write_text
from shopguide.spec import Spec, load_spec
from shopguide.spec.parts import ARCHITECTURES

if TYPE_CHECKING:
    from shopguide import training
    from shopguide.cli._sharing import Difference
    from shopguide.training.relations import Looker


def train(
    spec: SpecPath = DEFAULT_SPEC,
    training_set: Annotated[Path, typer.Option(help="Directory of the training set.")] = Path(
        "runs/training_set"
    ),
    out: Annotated[Path, typer.Option(help="Directory of the bundle.")] = Path("runs/model"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from OUT.checkpoint, if it is there.")
    ] = False,
    relations: Annotated[
        bool,
        typer.Option(
            "--relations", help="Measure how the tasks relate: OUT.relations.html, .json."
        ),
    ] = False,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="ARCHITECTURE",
            help="Train this one too (single_task: no sharing), and compare task by task.",
        ),
    ] = None,
    study: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Search the settings of training.study by N trials, and keep the best model; "
            "OUT.study.db goes on where it stopped.",
        ),
    ] = None,
    champion: Champion = None,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Train the multi-task model and write its bundle.

    The state of a run is kept in OUT.checkpoint until the bundle is written. Several processes
    train one model: torchrun --nproc_per_node 2 -m shopguide train …
    """
    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    _require_one_of(loaded, relations=relations, compare=compare, study=study)
    if study is not None:
        run_study_command(loaded, training_set, out, study, as_json=as_json)
        return
    rival = None
    if compare is not None:
        rival = _rival(spec, profile, overrides or [], compare)
        _require_test(training_set)
    with _start(loaded, champion) as held:
        found, looker = _train(
            loaded, training_set, out, resume=resume, relations=relations, champion=held
        )
    differences = None
    if rival is not None:
        differences = _compare(loaded, rival, training_set, out, resume=resume)
    if not leads():
        return
    if looker is not None:
        _write_relations(looker, loaded, out)
    if as_json:
        extra = {"differences": [asdict(d) for d in differences]} if differences else {}
        print_json(_fields(found, out) | extra)
        return
    _show(found, out)
    if looker is not None:
        stdout.print(f"{_beside(out, 'relations.html')}: relations of the tasks", highlight=False)
    for difference in differences or ():
        _show_difference(difference, str(compare))


@contextmanager
def _start(spec: Spec, champion: Path | None) -> Iterator[Path | None]:
    """Yield the champion to go on from, where the spec asks for one and there is one."""
    if spec.training.start != "champion":
        if champion is not None:
            what = "has no effect while training.start is scratch"
            raise ShopguideError("--champion", what, "Leave it out, or set training.start=champion")
        yield None
        return
    with champion_of(spec, champion) as held:
        yield held.path


def _train(
    spec: Spec,
    training_set: Path,
    out: Path,
    *,
    resume: bool,
    relations: bool,
    champion: Path | None = None,
) -> "tuple[training.TrainingSummary, Looker | None]":
    from shopguide.training import Surroundings, train_candidates
    from shopguide.training.relations import Looker

    looker = Looker() if relations else None
    with progress() as report:
        around = Surroundings(report, _beside(out, "checkpoint"), resume, looker, champion=champion)
        summary, candidates = train_candidates(spec, training_set, out, around=around)
    if candidates.tried > 1 and leads():
        candidates.write(_beside(out, "candidates.json"))
    return summary, looker


def _compare(
    spec: Spec, rival: Spec, training_set: Path, out: Path, *, resume: bool
) -> "list[Difference]":
    from shopguide.cli._sharing import compare_bundles

    other = _beside(out, rival.model.architecture)
    _train(rival, training_set, other, resume=resume, relations=False)
    if not leads():
        return []
    return compare_bundles(spec, training_set / "test.parquet", out, other)


def _rival(spec: Path, profile: str | None, overrides: list[str], architecture: str) -> Spec:
    """Return the spec with another architecture, checked like any other."""
    known = tuple(ARCHITECTURES)
    if architecture not in known:
        what = f"no architecture is called {architecture!r}"
        raise ShopguideError("--compare", what, f"Name one of {', '.join(known)}")
    changes = [*overrides, f"model.architecture={architecture}"]
    if architecture == "single_task":
        changes.append("training.balancer=weighted_sum")
    return load_spec(spec, profile=profile, overrides=changes)


def _require_one_of(spec: Spec, *, relations: bool, compare: str | None, study: int | None) -> None:
    if study is not None and (relations or compare):
        option = "--relations" if relations else "--compare"
        raise ShopguideError(option, "looks at one model, and --study trains many", "Leave one out")
    if study is not None and spec.training.candidates is not None:
        raise ShopguideError(
            "--study",
            "stands beside training.candidates, which names the models to train",
            "Set training.candidates=null, and list them in training.study",
        )
    if spec.training.candidates is None or not (relations or compare):
        return
    option = "--relations" if relations else "--compare"
    raise ShopguideError(
        option,
        "looks at one model, and training.candidates names several",
        "Set training.candidates=null",
    )


def _require_test(training_set: Path) -> None:
    path = training_set / "test.parquet"
    if not path.is_file():
        raise ShopguideError(
            str(path), "there is no such file", "Write the training set with `shopguide features`"
        )


def _write_relations(looker: "Looker", spec: Spec, out: Path) -> None:
    from shopguide.training.relations_page import relations_page

    found = looker.relations(list(spec.tasks))
    write_json(_beside(out, "relations.json"), found.model_dump(mode="json"))
    title = f"{spec.name}, {spec.model.architecture}"
    write_text(_beside(out, "relations.html"), relations_page(found, title=title))


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(f"{out.name}.{ending}")


def _fields(summary: "training.TrainingSummary", out: Path) -> dict[str, object]:
    times = {"seconds": summary.seconds, "rows_per_second": summary.rows_per_second}
    record = summary.record.model_dump(mode="json")
    return {"version": summary.version, "bundle": str(out), **times, **record}


def _show(summary: "training.TrainingSummary", out: Path) -> None:
    record = summary.record
    among = f", best of {record.candidates} candidates" if record.candidates > 1 else ""
    stdout.print(
        f"{out}: version {summary.version}{among}, {record.rows:,} rows, best epoch "
        f"{record.best_epoch} of {len(record.epochs)}, {summary.rows_per_second:,.0f} rows/s, "
        f"{summary.seconds:.0f} s",
        highlight=False,
    )
    for task, auc in record.valid_auc.items():
        kept = record.calibration[task].kept
        stdout.print(f"  {task}: validation AUC {auc:.4f}, calibrator {kept}", highlight=False)
    for task, rho in record.valid_spearman.items():
        stdout.print(f"  {task}: validation rank correlation {rho:.4f}", highlight=False)


def _show_difference(found: "Difference", other: str) -> None:
    verdict = "better" if found.lower > 0 else "worse" if found.upper < 0 else "no difference seen"
    stdout.print(
        f"  {found.task} {found.metric}: {found.model:.4f}, {other} {found.other:.4f}; gain "
        f"{found.gain:+.4f} (95 % {found.lower:+.4f} to {found.upper:+.4f}): {verdict}",
        highlight=False,
    )
