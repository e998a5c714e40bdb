"""Nights on a simulated shop, with the library's own parts: resumed, repeated, refused."""

import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from shopguide.errors import ShopguideError
from shopguide.logs import prepare_logs
from shopguide.logs.days import days_of, land
from shopguide.loop import first_night, nights_of, run_night
from shopguide.loop import night as night_module
from shopguide.registry import fetch_champion, history
from shopguide.spec import Spec, load_spec

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("nights"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

SPEC = Path(__file__).parents[2] / "specs" / "simulator.yaml"
SMALL = [
    "data.users=300",
    "data.days=30",
    "data.requests_per_user=12",
    "data.exploration=1",
    "attribution.window_hours=24",
    "split.train={start: 2024-01-05, end: 2024-01-10}",
    "split.valid={start: 2024-01-11, end: 2024-01-13}",
    "split.test={start: 2024-01-14, end: 2024-01-16}",
    "loop.history_days=4",
    "loop.train_days=10",
    "loop.valid_days=3",
    "loop.test_days=4",
    "training.epochs=1",
    "training.threads=1",
    "training.start=champion",
    "model.hidden=[16]",
    "validation.min_rows=1",
    "gate.min_users=50",
    "gate.min_events=20",
    "gate.floors={click: {auc: 0.5}}",
    "gate.calibration=null",
    "gate.margins={ctr: 0.9, conversion: 0.9, order_value: 0.9}",
    "gate.alpha_spending={function: confidence_sequence, horizon: 5}",
    "gate.max_latency_ms=null",
]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    home = tmp_path_factory.mktemp("home")
    known = [name for name in SMALL if not name.startswith("validation.")]
    return load_spec(SPEC, overrides=[*known, f"home={home}"])


@pytest.fixture(scope="module")
def store(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    prepare_logs(spec, folder / "log")
    land(folder / "days", folder / "log")
    return folder / "days"


@pytest.fixture(scope="module")
def first(spec: Spec, store: Path) -> date:
    return first_night(spec, days_of(store)[0])


def test_nights_in_their_order(spec: Spec, store: Path, first: date, tmp_path: Path) -> None:
    out, steps = tmp_path / "nights", list[str]()
    tonight = run_night(spec, store, first, out, tell=steps.append)
    assert steps == [
        "log", "features", "validation", "champion", "training", "objective", "gate", "registry",
    ]  # fmt: skip
    assert tonight.verdict in ("promote", "refuse")
    told = len(history(spec))

    again = run_night(spec, store, first, out)
    assert again == replace(tonight, repeated=True)
    assert len(history(spec)) == told, "a night that is over is not told twice"

    with pytest.raises(ShopguideError, match="the last day that landed is"):
        run_night(spec, store, days_of(store)[-1] + timedelta(days=2), out)
    with pytest.raises(ShopguideError, match="run with another spec or other days"):
        run_night(spec.model_copy(update={"seed": 9}), store, first, out)

    second = run_night(spec, store, first + timedelta(days=1), out)
    with pytest.raises(ShopguideError, match="the clock moved back, or it comes too late"):
        run_night(spec, store, first, out)
    assert [night.date for night in nights_of(out)] == [tonight.date, second.date]
    if tonight.verdict == "promote":  # the challenger of a first night is the next one's start
        training = json.loads((out / second.date / "model" / "training.json").read_text())
        champion = json.loads((out / second.date / "champion" / "bundle.json").read_text())
        assert training["started_from"] == champion["checksum"]
        decision = json.loads((out / second.date / "decision" / "decision.json").read_text())
        assert decision["sequence"]["runs"] == 1


def test_a_night_that_is_cut_off_goes_on_and_comes_to_the_same(
    spec: Spec, store: Path, first: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = spec.model_copy(update={"home": str(tmp_path / "home")})
    out, steps = tmp_path / "nights", list[str]()

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(night_module, "decide", killed)
        with pytest.raises(KeyboardInterrupt):
            run_night(apart, store, first, out)
    assert nights_of(out) == []
    assert fetch_champion(apart, tmp_path / "champion") is None
    found = run_night(apart, store, first, out, tell=steps.append)
    assert "training" not in steps
    assert "features" not in steps
    straight = run_night(
        spec.model_copy(update={"home": str(tmp_path / "other")}), store, first, tmp_path / "n2"
    )
    assert (found.verdict, found.reasons) == (straight.verdict, straight.reasons)
    assert found.gain == pytest.approx(straight.gain, abs=1e-12)


def test_a_step_that_fails_is_told_and_the_champion_stays(
    spec: Spec, store: Path, first: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = spec.model_copy(update={"home": str(tmp_path / "home")})

    def broken(*_: object, **__: object) -> None:
        raise ShopguideError("disk", "is full", "Make room")

    monkeypatch.setattr(night_module, "materialize_features", broken)
    with pytest.raises(ShopguideError, match="disk: is full"):
        run_night(apart, store, first, tmp_path / "nights")
    (entry,) = history(apart)
    assert entry.kind == "failed"
    assert "disk: is full" in entry.reasons[0]
    assert fetch_champion(apart, tmp_path / "champion") is None


def test_two_at_once_are_one_too_many(spec: Spec, store: Path, first: date, tmp_path: Path) -> None:
    with (
        night_module._alone(tmp_path / "nights"),
        pytest.raises(ShopguideError, match="another night is running here"),
    ):
        run_night(spec, store, first, tmp_path / "nights")


def test_nothing_landed_yet(spec: Spec, first: date, tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match="holds no day"):
        run_night(spec, tmp_path / "days", first, tmp_path / "nights")
    shutil.rmtree(tmp_path / "nights")
