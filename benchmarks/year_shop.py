"""One simulated shop, night after night: what each way of replacing the champion does and is worth.

Every way sees the same days, and deploys the same nightly networks: they differ in what they
replace. The shop ranks its lists by itself, so no way feeds back on its own data; what a way's
ranking is worth on a day's lists, the simulator knows exactly.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.features import materialize_features
from shopguide.features.training_set import SUMMARY
from shopguide.files import write_json
from shopguide.gate.decide import reach_decision
from shopguide.gate.models import score
from shopguide.logs import prepare_logs
from shopguide.logs.days import days_of, land
from shopguide.logs.simulator import outcome_of, simulate
from shopguide.loop import first_night, night_spec, run_night
from shopguide.objective.replay import Requests, goal_tasks, goal_values, request_sums
from shopguide.objective.solve import solve_objective
from shopguide.spec import Spec, load_spec
from shopguide.spec.simulator import Simulator
from shopguide.spec.split import Period, Split

Array = NDArray[np.float64]

SPEC = Path(__file__).resolve().parent.parent / "specs" / "simulator.yaml"
WAYS = ("loop", "never", "always", "point", "oracle")
ONE = timedelta(days=1)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Course:
    """What is run.

    Args:
        nights: of the run.
        users: of the shop.
        gate: `gate.alpha_spending.function` of the loop.
        start: `training.start`.
        drift: of the shop over the whole log, in logits.
    """

    nights: int
    users: int
    gate: str
    start: str
    drift: float


def spec_of(course: Course, seed: int, home: Path) -> Spec:
    """Return the spec of a shop: periods short, the network small, the gate as it ships."""
    history, train, valid, test, window = 7, 14, 5, 5, 1
    before = history + train + valid + test + 3 * window
    days = before + course.nights + 2
    return load_spec(
        SPEC,
        overrides=[
            f"data.seed={seed}",
            f"data.users={course.users}",
            f"data.days={days}",
            f"data.requests_per_user={0.7 * days:g}",
            "data.exploration=1",
            f"data.drift={course.drift}",
            "attribution.window_hours=24",
            "split.train={start: 2024-01-03, end: 2024-01-05}",
            "split.valid={start: 2024-01-06, end: 2024-01-08}",
            "split.test={start: 2024-01-09, end: 2024-01-11}",
            f"loop={{history_days: {history}, train_days: {train}, "
            f"valid_days: {valid}, test_days: {test}}}",
            "training.epochs=3",
            "training.threads=1",
            f"training.start={course.start}",
            "model.hidden=[32]",
            f"gate.alpha_spending={{function: {course.gate}, horizon: 30}}",
            "gate.replicates=1000",
            "gate.max_latency_ms=null",
            f"home={home}",
        ],
    )


def run_shop(course: Course, seed: int, folder: Path, tell: Tell) -> dict[str, object]:
    """Run one shop, and return its figures; run again, it goes on where it was.

    Args:
        course: what is run.
        seed: of the shop.
        folder: of this shop.
        tell: told what is done.
    """
    done = folder / "figures.json"
    if done.is_file():
        found: dict[str, object] = json.loads(done.read_text())
        return found
    spec = spec_of(course, seed, folder / "home")
    log, store = folder / "log", folder / "days"
    if not (log / "log.json").is_file():
        prepare_logs(spec, log)
    first = first_night(spec, date(2024, 1, 1))
    nights = [first + number * ONE for number in range(course.nights)]
    refused = []
    for number, night in enumerate(nights):
        record = folder / "ways" / f"{night}.json"
        if not record.is_file():
            told = _night(spec, log, store, folder, night, number)
            write_json(record, {"told": told, "ways": _others(spec, store, folder, night)})
            _tidy(folder / "nights" / str(night))
        kept = json.loads(record.read_text())
        refused += kept["told"]
        served = ", ".join(f"{way} {name}" for way, name in kept["ways"].items())
        tell(f"night {number + 1} of {len(nights)}: {served or 'no champion yet'}")
    figures = _figures(spec, log, store, folder, nights, course) | {"told": refused}
    write_json(done, figures)
    return figures


def _night(spec: Spec, log: Path, store: Path, folder: Path, night: date, number: int) -> list[str]:
    """Land what has come, and run the night; return what was said where something is wrong."""
    told = []
    if (
        number == 3 and days_of(store)[-1] < night - ONE
    ):  # the day comes late: the night is refused, and the champion stays
        told.append(_refusal(lambda: run_night(spec, store, night, folder / "nights")))
    land(store, log, until=night)
    if number == 5:
        assert not land(store, log, until=night).new, "a day that comes twice lands once"
        told.append("day twice: landed once")
    if number == 6:
        told.append(_refusal(lambda: land(store, _changed(log, folder, night), until=night)))
    run_night(spec, store, night, folder / "nights")
    return told


def _tidy(where: Path) -> None:
    for part in ("log", "training_set"):  # a year of them would fill the disk
        shutil.rmtree(where / part, ignore_errors=True)


def _refusal(wrong: Callable[[], object]) -> str:
    try:
        wrong()
    except ShopguideError as error:
        return str(error).splitlines()[0]
    raise AssertionError("what cannot be was done")


def _changed(log: Path, folder: Path, night: date) -> Path:
    """Return a copy of the log in which one event of the day before is not."""
    copy = folder / "changed"
    shutil.copytree(log, copy, dirs_exist_ok=True)
    events = pq.read_table(log / "events.parquet")
    at = events.column("at").cast(pa.date32())
    there = pc.equal(at, pa.scalar(night - ONE)).to_numpy(zero_copy_only=False)
    drop = int(np.flatnonzero(there)[0])
    pq.write_table(events.filter(pa.array(np.arange(len(events)) != drop)), copy / "events.parquet")
    return copy


def _others(spec: Spec, store: Path, folder: Path, night: date) -> dict[str, str]:
    """Return the night whose bundle each way serves with after this night."""
    before = _before(folder, night)
    where = folder / "nights" / str(night)
    verdict = json.loads((where / "night.json").read_text())["verdict"]
    found = dict(before)
    if not before:  # the first champion is everybody's: it has shown what it is worth
        if verdict == "promote":
            _keep(where, folder / "bundles" / "loop" / str(night))
            found = dict.fromkeys(WAYS[:-1], f"loop/{night}")
        return found
    if verdict == "promote":
        _keep(where, folder / "bundles" / "loop" / str(night))
        found["loop"] = f"loop/{night}"
    tonight = night_spec(spec, night, days_of(store)[0])
    for way in ("always", "point"):
        held = folder / "bundles" / before[way]
        made = folder / "bundles" / way / str(night)
        solve_objective(tonight, where / "model", where / "training_set", made, champion=held)
        if way == "always" or _gains(tonight, made, where / "training_set", held):
            found[way] = f"{way}/{night}"
    return found


def _keep(night: Path, bundle: Path) -> None:
    shutil.copytree(night / "challenger", bundle, dirs_exist_ok=True)


def _before(folder: Path, night: date) -> dict[str, str]:
    file = folder / "ways" / f"{night - ONE}.json"
    found: dict[str, str] = json.loads(file.read_text())["ways"] if file.is_file() else {}
    return found


def _gains(spec: Spec, challenger: Path, rows: Path, champion: Path) -> bool:
    """Return whether the estimate of J alone says so: no bound, no margin, no guard."""
    decision = reach_decision(spec, challenger, rows, champion)
    return decision.objective is not None and decision.objective.estimate > 0


def _figures(
    spec: Spec, log: Path, store: Path, folder: Path, nights: list[date], course: Course
) -> dict[str, object]:
    """Return what each way brought over all nights, exactly, relative to never retraining."""
    served = {night: _before(folder, night + ONE) for night in nights}
    started = [night for night in nights if served[night]]
    if len(started) < 2:
        return {"started": False}
    table = _rows(spec, log, folder, started[0], nights[-1] + ONE)
    day = np.asarray(table.column("shown_at").cast(pa.date32()).to_numpy())
    names = sorted({name for ways in served.values() for name in ways.values()})
    scored = {name: _scores(folder / "bundles" / name, table) for name in names}
    assert isinstance(spec.data, Simulator)
    shop = simulate(spec.data)
    truth, worth = table, np.zeros(len(table))
    for task in spec.tasks:
        outcome = outcome_of(spec.tasks[task], f"tasks.{task}")
        expected = shop.truth_of(table, outcome, examined=True)
        place = truth.column_names.index(task)
        truth = truth.set_column(place, task, pa.array(expected))
        weight = sum(g.weight for g in spec.objective.goals.values() if g.task == task)
        worth += weight * expected / expected.mean()
    requests = Requests.from_table(truth, spec, where="truth")
    scores = {"oracle": worth}
    for way in WAYS[:-1]:
        scores[way] = np.zeros(len(table))
        for night in started:
            inside = day == np.datetime64(night)
            scores[way][inside] = scored[served[night][way]][inside]
    values = {way: _values(requests, found, spec) for way, found in scores.items()}
    weights = np.array([goal.weight for goal in spec.objective.goals.values()])
    worths = {way: float(weights @ (found / values["never"])) for way, found in values.items()}
    single = {name: _values(requests, found, spec) for name, found in scored.items()}
    return {
        "started": True,
        "nights": len(started),
        "lists": len(requests.user),
        "objective": worths,
        "promotions": {way: _changes(served, started, way) for way in WAYS[:-1]},
        "worse": {
            way: _worse(served, started, way, single, weights)
            for way in ("loop", "always", "point")
        },
        "rows": _kept(log, store),
        "gate": course.gate,
    }


def _rows(spec: Spec, log: Path, folder: Path, start: date, end: date) -> pa.Table:
    """Return the lists of the days that were served, with the features of their moments."""
    out = folder / "served"
    if not (out / SUMMARY).is_file():
        split = Split(train=spec.split.train, valid=spec.split.valid, test=_period(start, end))
        materialize_features(spec.model_copy(update={"split": split}), log, out)
    return pq.read_table(out / "test.parquet")


def _period(start: date, end: date) -> Period:
    return Period.model_validate({"start": f"{start}T00:00:00", "end": f"{end}T00:00:00"})


def _scores(bundle: Path, table: pa.Table) -> Array:
    found: Array = score(load_bundle(bundle), table).scores
    return found


def _values(requests: Requests, scores: Array, spec: Spec) -> Array:
    """Return F of each goal [K] of a ranking."""
    tasks = goal_tasks(spec.objective.goals)
    sums = request_sums(requests, scores, tasks, spec.objective.discount).sum(axis=0)
    found: Array = goal_values(sums, float(len(requests.user)), tasks, spec.objective.goals)
    return found


def _changes(served: Mapping[date, Mapping[str, str]], nights: list[date], way: str) -> int:
    names = [served[night][way] for night in nights]
    return sum(now != then for then, now in pairwise(names))


def _worse(
    served: Mapping[date, Mapping[str, str]],
    nights: list[date],
    way: str,
    single: Mapping[str, Array],
    weights: Array,
) -> int:
    """Return how many replacements brought less over all lists than what they replaced."""
    names = [served[night][way] for night in nights]
    return sum(
        now != then and float(weights @ (single[now] / single[then])) < 1
        for then, now in pairwise(names)
    )


def _kept(log: Path, store: Path) -> bool:
    """Return whether the days hold every impression of theirs once."""
    last = days_of(store)[-1]
    shown = pq.read_table(log / "impressions.parquet", columns=["shown_at"])
    there = pc.less_equal(shown.column("shown_at").cast(pa.date32()), pa.scalar(last))
    files = sorted(store.glob("date=*/impressions.parquet"))
    return sum(pq.read_metadata(file).num_rows for file in files) == pc.sum(there).as_py()
