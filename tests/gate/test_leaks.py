"""A feature that tells the label is found by name; one that is only good is not."""

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from shopguide.gate import Decision, Ledger, decide
from shopguide.gate.case import Case
from shopguide.gate.checks import checks
from shopguide.gate.leaks import Leak, find_leaks
from shopguide.gate.models import open_challenger
from shopguide.gate.quality import task_quality
from shopguide.gate.test_set import read_test_set
from tests.gate.conftest import COLUMNS, TRUTH, VAGUE, Shop
from tests.gate.test_decide import changed

ROWS = 60_000
RNG = np.random.default_rng(3)
CLICK = (RNG.random(ROWS) < 0.05).astype(np.float64)
MONEY = CLICK * (RNG.random(ROWS) < 0.4) * RNG.lognormal(2, 1, ROWS)


def found(column: object, label: NDArray[np.float64] = CLICK) -> list[Leak]:
    table = pa.table({"feature": column})
    return list(find_leaks(table, ["feature"], {"task": label}, 0.995))


def test_the_label_itself_is_a_leak() -> None:
    assert found(CLICK) == [Leak("feature", "task", 1.0, 1.0)]
    assert found(pa.array(CLICK.astype(np.int8)))
    assert found(pa.array(CLICK > 0))


def test_its_opposite_is_one_too() -> None:
    assert found(-5 * CLICK)[0].auc == 1.0


@pytest.mark.parametrize("rows", [None, 8000])
def test_the_auc_is_that_of_scikit_learn(rows: int | None) -> None:
    label = CLICK[:rows]
    noisy = label + np.round(np.random.default_rng(0).normal(scale=0.25, size=len(label)), 2)
    auc = roc_auc_score(label, noisy)
    assert auc >= 0.995
    assert found(noisy, label)[0].auc == pytest.approx(auc, abs=1e-6)  # it is told to six digits


def test_a_good_feature_is_no_leak() -> None:
    noisy = CLICK + np.random.default_rng(0).normal(scale=0.5, size=ROWS)
    assert 0.9 < roc_auc_score(CLICK, noisy) < 0.995
    assert found(noisy) == []


def test_a_feature_that_is_null_where_nothing_happened_is_a_leak() -> None:
    ids = [f"basket {row}" if clicked else None for row, clicked in enumerate(CLICK)]
    assert found(pa.array(ids))[0].auc == 1.0
    numbers = np.where(CLICK > 0, RNG.normal(size=ROWS), np.nan)
    assert found(numbers)[0].auc == 1.0
    times = pa.array([None if c else 1_700_000_000 + r for r, c in enumerate(CLICK)])
    assert found(times.cast(pa.timestamp("us", "UTC")))[0].auc == 1.0


def test_a_category_that_says_it_is_a_leak_and_an_id_is_none() -> None:
    assert found(pa.array(np.where(CLICK > 0, "bought", "looked")))[0].auc == 1.0
    assert found(pa.array([f"row {row}" for row in range(ROWS)])) == []
    assert found(pa.array([f"user {row // 7}" for row in range(ROWS)])) == []


def test_a_label_copied_with_mistakes_is_found_by_its_agreement() -> None:
    copied = MONEY.copy()
    copied[:30] = 1000.0 + np.arange(30)  # 0.05 % of the rows
    leak = found(copied, MONEY)[0]
    assert leak.agreement == pytest.approx(1 - 30 / ROWS, abs=1e-6)


def test_zeros_are_no_leak_of_a_label_that_is_nearly_always_zero() -> None:
    rare = np.zeros(ROWS)
    rare[:20] = 1
    assert (rare == 0).mean() > 0.999
    assert found(np.zeros(ROWS), rare) == []


@pytest.mark.parametrize(
    "column",
    [
        pa.nulls(ROWS),
        pa.nulls(ROWS, pa.string()),
        pa.nulls(ROWS, pa.float64()),
        np.full(ROWS, np.inf),
        np.where(RNG.random(ROWS) < 0.5, -np.inf, np.nan),
        pa.array(["a", None] * (ROWS // 2)).dictionary_encode(),
    ],
)
def test_an_odd_column_is_looked_at_without_a_complaint(column: object) -> None:
    assert found(column) == []


@pytest.mark.parametrize("label", [np.zeros(ROWS), np.ones(ROWS)])
def test_a_label_of_one_class_is_told_by_nothing(label: NDArray[np.float64]) -> None:
    assert found(label, label) == []


def test_eighty_columns_of_many_rows_take_seconds() -> None:
    rows = 300_000
    rng = np.random.default_rng(0)
    click = (rng.random(rows) < 0.05).astype(float)
    columns: dict[str, object] = {f"n{i}": rng.normal(size=rows) for i in range(60)}
    words = np.array([f"v{i}" for i in range(1000)])
    columns |= {f"c{i}": pa.array(words[rng.integers(0, 1000, rows)]) for i in range(20)}
    table = pa.table(columns)
    started = time.perf_counter()
    assert list(find_leaks(table, table.column_names, {"a": click, "b": click}, 0.995)) == []
    assert time.perf_counter() - started < 10  # 0.7 s on an idle core


def judged(shop: Shop, folder: Path, **gate: object) -> Decision:
    """Judge a model one of whose inputs, which it does not weigh, tells the clicks."""
    table = shop.table()
    place = table.column_names.index("noise")
    table = table.set_column(place, "noise", pa.array(9.0 * table["click"].to_numpy()))
    pq.write_table(table, folder / "leaky.parquet")
    spec = changed(shop.spec, **gate)
    blind = shop.model("blind", ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    good = shop.model("good", TRUTH)
    return decide(spec, good, folder / "leaky.parquet", folder / "out", champion=blind)


def test_a_leaking_feature_blocks_a_promotion_by_name(shop: Shop, tmp_path: Path) -> None:
    decision = judged(shop, tmp_path)
    assert decision.verdict == "invalid"
    assert decision.reasons == ("feature_leak:noise",)
    assert "the feature noise tells the label (AUC 1.0000 for clicks" in decision.because[0]
    assert "noise" in (tmp_path / "out" / "report.md").read_text()


def test_the_spec_may_waive_a_leak(shop: Shop, tmp_path: Path) -> None:
    decision = judged(shop, tmp_path, waive_leaks=["noise"])
    assert decision.promote
    assert decision.guard("feature_leak:noise.click").rule == "waived"  # type: ignore[union-attr]
    assert any("waived by the spec: noise" in warning for warning in decision.warnings)


def test_no_leak_is_a_guard_that_holds(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    decision = decide(shop.spec, shop.model("good"), shop.test_set, tmp_path, champion=vague)
    guard = decision.guard("feature_leaks")
    assert guard is not None
    assert guard.passes


def test_a_model_that_uses_a_waived_leak_is_no_leak_of_its_own(shop: Shop, tmp_path: Path) -> None:
    table = shop.table()
    place = table.column_names.index("appeal")
    leaked = table.set_column(place, "appeal", pa.array(40.0 * table["click"].to_numpy() - 20))
    pq.write_table(leaked, tmp_path / "leaked.parquet")
    vague, good = shop.model("vague", VAGUE), shop.model("good")
    spec = changed(shop.spec, calibration=None, waive_leaks=["appeal"])
    decision = decide(spec, good, tmp_path / "leaked.parquet", tmp_path / "out", champion=vague)
    guard = decision.guard("leak:click")
    assert guard is not None
    assert (guard.rule, guard.passes) == ("waived", True)
    assert not any("leak" in reason for reason in decision.reasons)


def test_what_a_challenger_does_not_read_is_no_leak_of_its(shop: Shop) -> None:
    spec = changed(shop.spec, floors={}, baseline=None)
    bundle = open_challenger(shop.model("good"), spec)
    test = read_test_set(shop.test_set, spec, COLUMNS)
    case = Case(spec, test, (bundle,), None, None, 1, Ledger(), {})
    leaks = [Leak("elsewhere", "click", 1.0, 1.0), Leak("noise", "click", 1.0, 0.0)]
    tasks = task_quality(spec, test, bundle.predict(test.table), None)
    named = [guard.name for guard in checks(case, bundle, tasks, leaks)]
    assert "feature_leak:noise.click" in named
    assert not any("elsewhere" in name for name in named)


def test_a_sequence_whose_newest_value_is_of_after_the_click_is_a_leak() -> None:
    seen = [["a", "clicked"] if click else ["clicked", "a"] for click in CLICK]
    assert found(pa.array(seen))[0].auc > 0.999
    assert not found(pa.array([None if n % 2 else ["a", "b"] for n in range(ROWS)]))
