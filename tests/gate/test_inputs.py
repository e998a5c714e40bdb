"""What a user can get wrong, and what the message says: where, what, and what to do."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.bundle import load_bundle
from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.evaluation.measure import evaluate_bundle
from shopguide.features.versions import feature_service
from shopguide.gate import decide, read_decision
from shopguide.gate.gains import baseline_scores
from shopguide.gate.report import write_report
from shopguide.gate.test_set import read_test_set
from shopguide.objective import read_solution, solve_objective
from shopguide.spec import check_text
from tests.gate.conftest import SPEC, VAGUE, Shop
from tests.gate.test_decide import changed
from tests.training_sets import sealed

FIRST = datetime(2024, 3, 1, tzinfo=UTC)


def with_column(shop: Shop, path: Path, name: str, values: object) -> Path:
    table = shop.table()
    table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("order_value", float("nan"), "not finite"),
        ("order_value", float("inf"), "not finite"),
        ("order_value", -1.0, "negative"),
        ("click", 0.5, "holds 0.5"),
        ("sample_weight", -1.0, "negative"),
    ],
)
def test_an_impossible_outcome_is_found_by_column_and_row(
    shop: Shop, tmp_path: Path, column: str, value: float, what: str
) -> None:
    values = shop.table()[column].to_numpy().astype(float)
    values[41] = value
    path = with_column(shop, tmp_path / "bad.parquet", column, values)
    with pytest.raises(InvalidDataError) as caught:
        decide(shop.spec, shop.model("good"), path, tmp_path / "out")
    assert "bad.parquet" in caught.value.where
    assert column in caught.value.where
    assert "row 42" in caught.value.where
    assert what in caught.value.what
    assert caught.value.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_outcome_column_is_named(shop: Shop, tmp_path: Path) -> None:
    pq.write_table(shop.table().drop_columns(["purchase"]), tmp_path / "bad.parquet")
    with pytest.raises(ShopguideError, match="lacks the columns purchase"):
        decide(shop.spec, shop.model("good"), tmp_path / "bad.parquet", tmp_path / "out")


def test_a_missing_input_of_the_challenger_is_named(shop: Shop, tmp_path: Path) -> None:
    pq.write_table(shop.table().drop_columns(["value"]), tmp_path / "bad.parquet")
    with pytest.raises(ShopguideError, match="lacks the columns value"):
        decide(shop.spec, shop.model("good"), tmp_path / "bad.parquet", tmp_path / "out")


def test_there_is_no_such_test_set(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match="there is no such file"):
        decide(shop.spec, shop.model("good"), tmp_path / "none", tmp_path / "out")
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(ShopguideError, match="not a readable Parquet file"):
        decide(shop.spec, shop.model("good"), tmp_path / "text.parquet", tmp_path / "out")


def test_an_empty_test_period_is_refused(shop: Shop, tmp_path: Path) -> None:
    pq.write_table(shop.table().slice(0, 0), tmp_path / "empty.parquet")
    with pytest.raises(InvalidDataError, match="holds no impression"):
        decide(shop.spec, shop.model("good"), tmp_path / "empty.parquet", tmp_path / "out")


def test_a_bundle_without_fusion_weights_says_how_to_get_them(shop: Shop, tmp_path: Path) -> None:
    shop.model("good")
    with pytest.raises(ShopguideError, match="shopguide solve"):
        decide(shop.spec, shop.folder / "good_unsolved", shop.test_set, tmp_path / "out")


def test_a_folder_that_is_no_bundle_is_not_taken_for_no_champion(
    shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "file").write_text("x")
    with pytest.raises(ShopguideError, match=r"has no bundle\.json"):
        decide(
            shop.spec,
            shop.model("good"),
            shop.test_set,
            tmp_path / "out",
            champion=tmp_path / "odd",
        )


def test_a_challenger_of_other_tasks_than_the_spec_is_refused(shop: Shop, tmp_path: Path) -> None:
    spec = check_text(
        SPEC.replace("  click: {kind", "  tap: {kind")
        .replace("after: click", "after: tap")
        .replace("task: click", "task: tap")
        .replace("floors: {click", "floors: {tap"),
        where="other",
    )
    with pytest.raises(ShopguideError, match="predicts click, purchase, order_value; the spec"):
        decide(spec, shop.model("good"), shop.test_set, tmp_path / "out")


@pytest.mark.parametrize(
    ("gate", "where"),
    [
        ({"slices": ["nowhere"]}, "spec gate.slices: nowhere"),
        ({"baseline": "nowhere"}, "spec gate.baseline: nowhere"),
        ({"baseline": "region"}, "spec gate.baseline: region"),
    ],
)
def test_a_column_the_spec_names_must_be_there(
    shop: Shop, tmp_path: Path, gate: dict[str, object], where: str
) -> None:
    champion = shop.model("twin", seed=1) if "slices" in gate else None
    with pytest.raises(ShopguideError) as caught:
        decide(
            changed(shop.spec, **gate),
            shop.model("good"),
            shop.test_set,
            tmp_path / "out",
            champion=champion,
        )
    assert caught.value.where == where


def test_what_has_no_popularity_ranks_below_all_that_has(shop: Shop, tmp_path: Path) -> None:
    known = np.arange(shop.table().num_rows, dtype=float) - 50
    known[::3] = np.nan
    path = with_column(shop, tmp_path / "u.parquet", "popularity", known)
    scores = baseline_scores(read_test_set(path, shop.spec, ["popularity"]), "popularity")
    assert np.isfinite(scores).all()
    assert scores[::3].max() < np.nanmin(known)
    assert (scores[1::3] == known[1::3]).all()


def test_a_popularity_that_nothing_has_is_still_beaten(shop: Shop, tmp_path: Path) -> None:
    unknown = with_column(
        shop, tmp_path / "u.parquet", "popularity", np.full(shop.table().num_rows, np.nan)
    )
    decision = decide(shop.spec, shop.model("good"), unknown, tmp_path / "out")
    assert decision.baseline is not None
    assert decision.baseline.lower > 0


@pytest.mark.parametrize("role", ["challenger", "champion"])
def test_a_bundle_that_predicts_otherwise_than_at_training_is_not_trusted(
    shop: Shop, tmp_path: Path, role: str
) -> None:
    sound, spoilt = shop.model("good"), shop.model("spoilt", VAGUE, golden_off=0.01)
    pair = (spoilt, sound) if role == "challenger" else (sound, spoilt)
    decision = decide(shop.spec, pair[0], shop.test_set, tmp_path, champion=pair[1])
    assert decision.verdict == "invalid"
    assert f"artifact:{role}" in decision.reasons
    guard = decision.guard(f"golden:{role}")
    assert guard is not None
    assert isinstance(guard.value, float)
    assert 0.005 <= guard.value <= 0.01  # relative to 1 + its size
    assert "does not predict what it predicted when it was written" in decision.because[0]


def test_golden_rows_that_are_no_numbers_are_not_trusted(shop: Shop, tmp_path: Path) -> None:
    unknown = shop.model("unknown", golden_off=math.nan)
    assert load_bundle(unknown).golden_difference() == math.inf
    decision = decide(shop.spec, unknown, shop.test_set, tmp_path)
    assert decision.verdict == "invalid"
    assert "artifact:challenger" in decision.reasons


def test_what_the_processor_rounds_is_no_difference(shop: Shop, tmp_path: Path) -> None:
    near = shop.model("near", golden_off=9e-6)
    decision = decide(shop.spec, near, shop.test_set, tmp_path)
    guard = decision.guard("golden:challenger")
    assert guard is not None
    assert (guard.value, guard.passes) == (0.0, True)


def test_a_bundle_without_golden_rows_is_not_trusted(shop: Shop, tmp_path: Path) -> None:
    bare = shop.model("bare", golden_rows=0)
    decision = decide(shop.spec, bare, shop.test_set, tmp_path)
    assert "artifact:challenger" in decision.reasons
    assert json.loads((tmp_path / "decision.json").read_text())["verdict"] == "invalid"


@pytest.mark.parametrize(("value", "reason"), [(0, "too_few_events"), (1, "one_class")])
def test_one_class_only_is_not_judged(shop: Shop, tmp_path: Path, value: int, reason: str) -> None:
    table = shop.table()
    clicks = np.full(table.num_rows, value, np.int8)
    table = table.set_column(table.column_names.index("click"), "click", pa.array(clicks))
    for name in () if value else ("purchase", "order_value"):  # nothing comes after no click
        nothing = pa.array(np.zeros(table.num_rows))
        table = table.set_column(table.column_names.index(name), name, nothing)
    path = tmp_path / "one.parquet"
    pq.write_table(table, path)
    vague = shop.model("vague", VAGUE)
    decision = decide(shop.spec, shop.model("good"), path, tmp_path / "out", champion=vague)
    assert decision.verdict == "invalid"
    assert f"{reason}:click" in decision.reasons


def test_users_that_no_other_period_knows_are_judged_alike(shop: Shop, tmp_path: Path) -> None:
    strangers = [f"new {user}" for user in shop.table()["user_id"].to_pylist()]
    path = with_column(shop, tmp_path / "new.parquet", "user_id", strangers)
    vague = shop.model("vague", VAGUE)
    known = decide(shop.spec, shop.model("good"), shop.test_set, tmp_path / "a", champion=vague)
    new = decide(shop.spec, shop.model("good"), path, tmp_path / "b", champion=vague)
    assert new.goals == known.goals
    assert new.promote


def test_users_of_one_request_each_are_users(shop: Shop, tmp_path: Path) -> None:
    requests = shop.table()["request_id"].to_pylist()
    path = with_column(shop, tmp_path / "once.parquet", "user_id", requests)
    decision = decide(shop.spec, shop.model("good"), path, tmp_path / "out")
    assert decision.counts.users == decision.counts.requests == 1600


@pytest.fixture(scope="module")
def decided(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("decided")
    vague = shop.model("vague", VAGUE)
    decide(shop.spec, shop.model("good"), shop.test_set, out, champion=vague)
    return out


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("champion", "x", "champion.*not a decision of schema"),
        ("goals", [], "goals.*not a decision of schema"),
        ("goals", {"ctr": 1}, r"goals\.ctr"),
        ("objective", 0.5, "objective"),
        ("objective", {"estimate": "much"}, r"objective\.estimate"),
        ("challenger", None, "challenger"),
        ("candidates", {}, "candidates"),
        ("verdict", "maybe", "verdict"),
        ("reasons", "gain_not_shown", "reasons"),
        ("counts", None, "counts"),
        ("look", [], "look"),
        ("ledger", {"looks": 3}, r"ledger\.looks"),
        ("trade_off", "flat", "trade_off"),
        ("schema", "shopguide.decision/1", "its schema is 'shopguide.decision/1'"),
        ("verdict", "refuse", "was changed after it was written"),
        ("reasons", ["identical"], "was changed after it was written"),
        ("confidence", 0.5, "was changed after it was written"),
        ("checksum", "0" * 64, "was changed after it was written"),
        ("added", 1, "was changed after it was written"),
    ],
)
def test_a_decision_that_is_malformed_or_edited_is_refused(
    decided: Path, tmp_path: Path, field: str, value: object, what: str
) -> None:
    assert read_decision(decided).promote
    content = json.loads((decided / "decision.json").read_text())
    (tmp_path / "decision.json").write_text(json.dumps(content | {field: value}))
    with pytest.raises(ShopguideError, match=what) as caught:
        read_decision(tmp_path / "decision.json")
    assert "\n" not in str(caught.value)


def test_a_decision_without_one_of_its_parts_is_refused(decided: Path, tmp_path: Path) -> None:
    content = json.loads((decided / "decision.json").read_text())
    for field in content:
        less = {name: value for name, value in content.items() if name != field}
        (tmp_path / "decision.json").write_text(json.dumps(less))
        with pytest.raises(ShopguideError):
            read_decision(tmp_path / "decision.json")


@pytest.mark.parametrize("text", ["", "nope", "[1]", "null", '{"verdict": "maybe"}', "\xff"])
def test_a_file_that_is_no_decision_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ShopguideError, match=r"not a decision of schema|is not JSON"):
        read_decision(tmp_path / "other.json")
    (tmp_path / "other.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ShopguideError, match="is not JSON"):
        read_decision(tmp_path / "other.json")
    with pytest.raises(ShopguideError, match="cannot be read"):
        read_decision(tmp_path / "none.json")


def test_a_period_that_lambda_was_solved_on_is_one_the_model_learnt_from(
    shop: Shop, tmp_path: Path
) -> None:
    folder = tmp_path / "training_set"
    folder.mkdir()
    pq.write_table(shop.table().slice(0, 8000), folder / "valid.parquet")  # March, as the test set
    sealed(folder, shop.spec)
    shop.model("good")
    summary = solve_objective(shop.spec, shop.folder / "good_unsolved", folder, tmp_path / "peeked")
    assert summary.front > 0
    solution = read_solution(tmp_path / "peeked")
    assert solution is not None
    assert solution.solved_on is not None
    assert (solution.solved_on.rows, solution.solved_on.start) == (8000, FIRST)
    decision = decide(
        *(shop.spec, tmp_path / "peeked", shop.test_set, tmp_path / "out"),
        champion=shop.model("vague", VAGUE),
    )
    assert decision.verdict == "invalid"
    assert decision.reasons == ("period_overlap:challenger",)
    for end in (FIRST, solution.solved_on.end):
        assert f"{end:%Y-%m-%d}" in decision.because[0]


def test_a_challenger_of_other_features_than_the_data_is_refused_by_both_names(
    shop: Shop, tmp_path: Path
) -> None:
    renamed = check_text(SPEC.replace("name: planted", "name: elsewhere"), where="renamed")
    other = shop.model("elsewhere", VAGUE, spec=renamed)
    with pytest.raises(ShopguideError, match="feature_service") as caught:
        decide(shop.spec, other, shop.test_set, tmp_path / "out")
    assert feature_service(shop.spec) in caught.value.what
    assert feature_service(renamed) in caught.value.what
    assert caught.value.exit_code == 2


def edited(shop: Shop, path: Path, **changes: tuple[int, object]) -> Path:
    """Write the test set with one value of each named column changed."""
    table = shop.table()
    for name, (row, value) in changes.items():
        values = table[name].to_pylist()
        values[row] = value
        kind = pa.float64() if isinstance(value, float) else table.schema.field(name).type
        table = table.set_column(table.column_names.index(name), name, pa.array(values, kind))
    pq.write_table(table, path)
    return path


def impossible(shop: Shop) -> dict[str, tuple[dict[str, tuple[int, object]], str]]:
    """What cannot have happened: the change, and what is said of it."""
    table = shop.table()
    clicks, purchases = table["click"].to_numpy(), table["purchase"].to_numpy()
    unclicked, unsold = int(np.argmax(clicks == 0)), int(np.argmax(purchases == 0))
    item = table["item_id"][6].as_py()
    return {
        "row_id": ({"row_id": (9, 3)}, "column row_id, row 10: stands there twice"),
        "pair": ({"item_id": (8, item)}, "column request_id and item_id, row 9: stands there"),
        "purchase": (
            {"purchase": (unclicked, 1)},
            f"column purchase, row {unclicked + 1}: happened without click",
        ),
        "money": (
            {"order_value": (unsold, 5.0)},
            f"column order_value, row {unsold + 1}: happened without purchase",
        ),
        "feature": ({"appeal": (4, -math.inf)}, "column appeal, row 5: is infinite"),
    }


@pytest.mark.parametrize("name", ["row_id", "pair", "purchase", "money", "feature"])
def test_what_cannot_have_happened_is_found_by_column_and_row(
    shop: Shop, tmp_path: Path, name: str
) -> None:
    changes, what = impossible(shop)[name]
    path = edited(shop, tmp_path / "bad.parquet", **changes)
    with pytest.raises(InvalidDataError, match=what):
        decide(shop.spec, shop.model("good"), path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("user_id", None, "column user_id, row 8: is empty"),
        ("request_id", None, "column request_id, row 8: is empty"),
        ("item_id", None, "column item_id, row 8: is empty"),
        ("shown_at", None, "column shown_at, row 8: is empty"),
        ("order_value", 1e306, r"column order_value, row 8: is 1e\+306, and beyond 1e\+15"),
    ],
)
def test_what_cannot_be_read_exits_2(
    shop: Shop, tmp_path: Path, column: str, value: object, what: str
) -> None:
    path = edited(shop, tmp_path / "bad.parquet", **{column: (7, value)})
    with pytest.raises(ShopguideError, match=what) as caught:
        decide(shop.spec, shop.model("good"), path, tmp_path / "out")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("column", "values"), [("item_id", [1]), ("shown_at", "noon")])
def test_keys_and_times_of_another_type_exit_2(
    shop: Shop, tmp_path: Path, column: str, values: object
) -> None:
    path = with_column(shop, tmp_path / "t.parquet", column, [values] * shop.table().num_rows)
    with pytest.raises(ShopguideError, match=f"column {column}: is of type") as caught:
        decide(shop.spec, shop.model("good"), path, tmp_path / "out")
    assert caught.value.exit_code == 2
    with pytest.raises(ShopguideError, match=f"column {column}: is of type") as caught:
        evaluate_bundle(shop.model("good"), path)
    assert caught.value.exit_code == 2


def test_a_parquet_file_with_broken_pages_exits_2(shop: Shop, tmp_path: Path) -> None:
    broken = bytearray((shop.test_set / "test.parquet").read_bytes())
    broken[200:40_000] = bytes(39_800)  # the footer, and so the schema, is whole
    (tmp_path / "bad.parquet").write_bytes(broken)
    with pytest.raises(ShopguideError, match="is not a readable Parquet file") as caught:
        decide(shop.spec, shop.model("good"), tmp_path / "bad.parquet", tmp_path / "out")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("named", [{"baseline": "nope"}, {"slices": ["nope"]}])
@pytest.mark.parametrize("champion", [True, False])
def test_a_column_that_is_not_needed_now_must_be_there_too(
    shop: Shop, tmp_path: Path, named: dict[str, object], champion: bool
) -> None:
    held = shop.model("vague", VAGUE) if champion else None
    with pytest.raises(ShopguideError, match=r"spec gate\..*: nope"):
        decide(
            *(changed(shop.spec, **named), shop.model("good"), shop.test_set, tmp_path / "out"),
            champion=held,
        )


def test_a_page_that_cannot_be_made_leaves_the_former_decision_alone(
    decided: Path, tmp_path: Path
) -> None:
    decision = read_decision(decided)
    write_report(decision, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    broken = replace(decision, periods={})
    with pytest.raises(ValueError, match="empty"):
        write_report(broken, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(ValueError, match="empty"):
        write_report(broken, tmp_path / "new")
    assert not (tmp_path / "new").exists()
