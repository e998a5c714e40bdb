"""One night: from the days that landed to a champion that stays or is replaced."""

import fcntl
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from shopguide.bundle.manifest import MANIFEST
from shopguide.errors import ShopguideError
from shopguide.features import materialize_features
from shopguide.features.training_set import SUMMARY
from shopguide.files import write_json
from shopguide.gate import Decision, decide
from shopguide.logs.days import assemble, days_of, print_of
from shopguide.loop.periods import night_spec
from shopguide.objective.solve import solve_objective
from shopguide.registry import (
    fetch_champion,
    promote_model,
    read_ledger,
    record_refusal,
    record_run,
)
from shopguide.spec import Spec, dump_spec
from shopguide.training import Surroundings, train_candidates
from shopguide.validation import validate_data

_log = logging.getLogger(__name__)

NIGHT = "night.json"
"""File of a night that is written last: its presence means that the night is over."""

_STATE = "state.json"
_ONE = timedelta(days=1)

Tell = Callable[[str], None]
"""Told the step that begins."""


@dataclass(frozen=True, slots=True)
class Night:
    """What came of a night.

    Args:
        date: of the night, ISO 8601: what happened before it is known.
        verdict: promote, refuse, invalid (no fair comparison), or invalid_data.
        reasons: codes of the gate, or what is wrong with the data.
        champion: version that serves after the night; None: there is none yet.
        gain: estimate of J − 1; None where nothing was compared.
        lower: its lower bound.
        seconds: that the night took, what an earlier try had done left out.
        repeated: whether it had been run before, and nothing was done.
    """

    date: str
    verdict: str
    reasons: tuple[str, ...]
    champion: str | None
    gain: float | None
    lower: float | None
    seconds: float
    repeated: bool = False


def run_night(
    spec: Spec, store: str | Path, as_of: date, out: str | Path, *, tell: Tell | None = None
) -> Night:
    """Train a challenger on what is known, let the gate decide, and promote or refuse it.

    Run again, a night that is over does nothing; one that was cut off goes on behind its last whole
    step, training at its last checkpoint. The champion changes in the last step alone: whatever
    fails before it, the champion stays.

    Args:
        spec: reads `loop`; its `split` is replaced by the night's.
        store: folder of the days (`shopguide.logs.days`).
        as_of: date of the night: the days before it are used.
        out: folder of the nights; each has one of its own.
        tell: told what begins.

    Raises:
        ShopguideError: days are missing, a later night is over, another run of the nights goes on,
            or what the steps raise; the registry's history then says that the night failed.
    """
    out, started = Path(out), time.monotonic()
    with _alone(out):
        days = days_of(store)
        _refuse_unknown(days, as_of, Path(store))
        _refuse_return(out, as_of)
        mine = night_spec(spec, as_of, days[0])
        identity = _identity(mine, Path(store), days, as_of)
        folder = out / str(as_of)
        known = _finished(folder, identity)
        if known is not None:
            return known
        _begin(folder, identity)
        try:
            found = _steps(mine, Path(store), days[0], as_of, folder, tell or _silent, started)
        except ShopguideError as error:
            _record_failure(mine, as_of, str(error))
            raise
        write_json(folder / NIGHT, asdict(found) | {"identity": identity})
    return found


def nights_of(out: str | Path) -> list[Night]:
    """Return the nights that are over, in their order."""
    return [_read(path)[0] for path in sorted(Path(out).glob(f"*/{NIGHT}"))]


def _steps(
    spec: Spec, store: Path, first: date, as_of: date, folder: Path, tell: Tell, started: float
) -> Night:
    dump_spec(spec, folder / "spec.yaml")
    log, rows, model = folder / "log", folder / "training_set", folder / "model"
    if not (log / "log.json").is_file():
        tell("log")
        assemble(store, log, first=first, last=as_of - _ONE)
    if not (rows / SUMMARY).is_file():
        tell("features")
        materialize_features(spec, log, rows)
    tell("validation")
    checked = validate_data(spec, log, rows, folder / "data.html")
    if not checked.passes:
        _record_failure(spec, as_of, checked.first_failures())
        champion = fetch_champion(spec, folder / "champion")
        return _night(as_of, "invalid_data", (checked.first_failures(),), champion, None, started)
    tell("champion")
    shutil.rmtree(folder / "champion", ignore_errors=True)
    version = fetch_champion(spec, folder / "champion")
    held = folder / "champion" if version is not None else None
    _forget_another_start(spec, folder, version)
    if not (model / MANIFEST).is_file():
        tell("training")
        around = Surroundings(checkpoint=folder / "checkpoint.pt", resume=True, champion=held)
        train_candidates(spec, rows, model, around=around)
    tell("objective")
    solve_objective(spec, model, rows, folder / "challenger", champion=held)
    tell("gate")
    decision = decide(
        *(spec, folder / "challenger", rows, folder / "decision"),
        champion=held,
        champion_version=version,
        ledger=read_ledger(spec),
    )
    tell("registry")
    if decision.promote:
        version = promote_model(spec, folder / "challenger", folder / "decision")
    else:
        record_refusal(spec, folder / "challenger", folder / "decision", reason="gate")
    return _night(as_of, decision.verdict, decision.reasons, version, decision, started)


def _forget_another_start(spec: Spec, folder: Path, version: str | None) -> None:
    """Train anew where an earlier try went on from a champion that is none any more."""
    marker = folder / "start.json"
    if spec.training.start == "champion":
        now = {"champion": version}
        if marker.is_file() and json.loads(marker.read_text(encoding="utf-8")) != now:
            shutil.rmtree(folder / "model", ignore_errors=True)
            (folder / "checkpoint.pt").unlink(missing_ok=True)
        write_json(marker, now)


def _night(
    as_of: date,
    verdict: str,
    reasons: tuple[str, ...],
    champion: str | None,
    decision: Decision | None,
    started: float,
) -> Night:
    shown = decision.objective or decision.baseline if decision is not None else None
    return Night(
        date=str(as_of),
        verdict=verdict,
        reasons=reasons,
        champion=champion,
        gain=shown.estimate if shown else None,
        lower=shown.lower if shown else None,
        seconds=round(time.monotonic() - started, 3),
    )


def _refuse_unknown(days: list[date], as_of: date, store: Path) -> None:
    if not days:
        raise ShopguideError(
            str(store), "holds no day", "Land a log first: shopguide nightly --log"
        )
    if as_of > days[-1] + _ONE:
        raise ShopguideError(
            f"night {as_of}",
            f"the last day that landed is {days[-1]}, so the days up to {as_of - _ONE} are missing",
            "Land what was delivered since, or run the night of the day after the last",
        )


def _refuse_return(out: Path, as_of: date) -> None:
    over = nights_of(out)
    if over and as_of < date.fromisoformat(over[-1].date):
        raise ShopguideError(
            f"night {as_of}",
            f"the night of {over[-1].date} is over: the clock moved back, or it comes too late",
            "Run a later night; the champion stays until then",
        )


def _identity(spec: Spec, store: Path, days: list[date], as_of: date) -> str:
    """Return what a night's result follows from, the champion aside: the spec, and the days."""
    used = {str(day): print_of(store, day) for day in days if day < as_of}
    content = {"spec": spec.model_dump(mode="json"), "days": used}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _finished(folder: Path, identity: str) -> Night | None:
    if not (folder / NIGHT).is_file():
        return None
    night, known = _read(folder / NIGHT)
    if known != identity:
        raise ShopguideError(
            f"{folder}/{NIGHT}",
            "this night is over, and was run with another spec or other days",
            "Run the next night with the new spec, or name another folder with --out",
        )
    return night


def _read(path: Path) -> tuple[Night, str]:
    content = json.loads(path.read_text(encoding="utf-8"))
    identity = content.pop("identity")
    content |= {"reasons": tuple(content["reasons"]), "repeated": True}
    return Night(**content), identity


def _begin(folder: Path, identity: str) -> None:
    """Go on with a night that was cut off; steps of another spec or other days are removed."""
    state = folder / _STATE
    if state.is_file() and json.loads(state.read_text(encoding="utf-8"))["identity"] == identity:
        _log.info("night %s: goes on", folder.name)
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(state, {"identity": identity})


def _record_failure(spec: Spec, as_of: date, said: str) -> None:
    try:
        record_run(spec, run_id=f"night-{as_of}", state="FAILED", error=said)
    except ShopguideError as error:  # the registry itself may be what failed
        _log.warning("night %s: the failure is not in the history: %s", as_of, error)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the lock of the nights: two at once would train twice, and look twice."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ShopguideError(
                str(out), "another night is running here", "Wait until it is over"
            ) from None
        yield


def _silent(step: str) -> None:
    """Tell nobody."""
