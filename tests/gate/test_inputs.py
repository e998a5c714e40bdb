"""What a user can get wrong, and what the message says: where, what, and what to do."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.gate import decide, read_decision
from shopguide.gate.gains import baseline_scores
from shopguide.gate.test_set import read_test_set
from shopguide.spec import check_text
from tests.gate.conftest import SPEC, Shop
from tests.gate.test_decide import changed


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


def test_a_file_that_is_no_decision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match="cannot be read"):
        read_decision(tmp_path / "none.json")
    (tmp_path / "other.json").write_text(json.dumps({"verdict": "maybe"}))
    with pytest.raises(ShopguideError, match="not a decision of schema"):
        read_decision(tmp_path / "other.json")
