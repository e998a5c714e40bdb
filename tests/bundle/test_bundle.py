"""Writing, verifying, loading and scoring a bundle."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.bundle import Calibrators, Contents, load_bundle, with_fusion, write_bundle
from shopguide.errors import ShopguideError
from shopguide.fusion import Fusion

FUSION = Fusion("additive", {"click": 0.25, "buy": 0.75}, {"click": 0.5, "buy": 0.1})


def sigmoid(z: float) -> float:
    return 1 / (1 + float(np.exp(-z)))


def test_predictions_are_the_graphs_calibrated_and_in_funnel_order(
    folder: Path, rows: pa.Table
) -> None:
    predictions = load_bundle(folder, threads=1).predict(rows)
    # codes 2, 3, missing 0, unknown 1; prices +1, −1, missing 0, clipped 5; z = code − 2 + price
    click = [sigmoid(1), sigmoid(0), sigmoid(-2), sigmoid(4)]
    np.testing.assert_allclose(predictions["click"], click, rtol=1e-6)
    # σ(logit(click / 2) + 9) would exceed click: the stage is clipped to its parent
    np.testing.assert_allclose(predictions["buy"], predictions["click"])


def test_columns_may_come_in_any_order_and_among_others(folder: Path, rows: pa.Table) -> None:
    bundle = load_bundle(folder)
    shuffled = rows.select(["shown_at", "last", "price", "colour"])
    shuffled = shuffled.append_column("other", pa.array(range(4)))
    for task, values in bundle.predict(shuffled).items():
        np.testing.assert_array_equal(values, bundle.predict(rows)[task])


def test_a_table_without_rows_gives_no_predictions(folder: Path, rows: pa.Table) -> None:
    assert load_bundle(folder).predict(rows.slice(0, 0))["click"].shape == (0,)


def test_columns_that_are_null_throughout_may_have_no_type(folder: Path, rows: pa.Table) -> None:
    untyped = pa.table({**{n: pa.nulls(4) for n in ("colour", "price", "last")},
                        "shown_at": rows["shown_at"]})  # fmt: skip
    np.testing.assert_allclose(load_bundle(folder).predict(untyped)["click"], sigmoid(-2))


def test_a_missing_column_is_named(folder: Path, rows: pa.Table) -> None:
    with pytest.raises(ShopguideError, match=r"lacks the columns colour, shown_at .*may be null"):
        load_bundle(folder).predict(rows.drop_columns(["colour", "shown_at"]))


@pytest.mark.parametrize(("column", "kind"), [("price", "numeric"), ("last", "recency")])
def test_a_column_of_the_wrong_type_is_named(
    folder: Path, rows: pa.Table, column: str, kind: str
) -> None:
    wrong = rows.set_column(rows.column_names.index(column), column, pa.array(["1"] * 4))
    message = f"column {column}: is of type string, which a {kind} input"
    with pytest.raises(ShopguideError, match=message):
        load_bundle(folder).predict(wrong)


def test_equal_contents_have_an_equal_version(contents: Contents, tmp_path: Path) -> None:
    first, second = (write_bundle(tmp_path / name, contents) for name in ("a", "b"))
    assert first.checksum == second.checksum
    assert first.version == first.checksum[:12]
    assert len(first.version) == 12


def test_other_contents_have_another_version(contents: Contents, tmp_path: Path) -> None:
    other = replace(contents, calibrators=Calibrators())
    versions = {write_bundle(tmp_path / n, c).version for n, c in (("a", contents), ("b", other))}
    assert len(versions) == 2


def test_no_bundle_and_an_empty_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match=r"has no bundle\.json.*shopguide train"):
        load_bundle(tmp_path)
    with pytest.raises(ShopguideError, match="there is no such folder"):
        load_bundle(tmp_path / "nowhere")


def test_scoring_needs_fusion_weights(folder: Path, rows: pa.Table) -> None:
    bundle = load_bundle(folder)
    with pytest.raises(ShopguideError, match=r"no fusion weights\. Run `shopguide solve`"):
        bundle.score(bundle.predict(rows))


def test_with_fusion_copies_the_bundle_and_gives_it_a_version(
    folder: Path, rows: pa.Table, tmp_path: Path
) -> None:
    with_fusion(folder, tmp_path / "solved", FUSION)
    before, after = load_bundle(folder), load_bundle(tmp_path / "solved")
    assert before.fusion is None
    assert after.fusion == FUSION
    assert after.manifest.version != before.manifest.version
    p = after.predict(rows)
    np.testing.assert_allclose(after.score(p), 0.25 * p["click"] / 0.5 + 0.75 * p["buy"] / 0.1)


def test_a_bundle_may_be_solved_in_place(folder: Path) -> None:
    with_fusion(folder, folder, FUSION)
    assert load_bundle(folder).fusion == FUSION
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]  # nothing is left beside it


def test_golden_rows_tell_when_predictions_moved(contents: Contents, tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", contents)  # its golden predictions are .5 throughout
    click = sigmoid(4)
    found = load_bundle(tmp_path / "b").golden_difference()
    assert found == pytest.approx((click - 0.5) / 1.5, rel=1e-5)


def test_a_failed_write_leaves_the_older_bundle(folder: Path, contents: Contents) -> None:
    version = load_bundle(folder).manifest.version
    broken = replace(contents, golden="no table")  # the last of the parts to be written
    with pytest.raises(AttributeError):
        write_bundle(folder, broken)
    assert load_bundle(folder).manifest.version == version
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]


def test_what_is_not_a_bundle_is_never_replaced(contents: Contents, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ShopguideError, match=r"exists and holds no bundle\.json"):
        write_bundle(tmp_path, contents)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_bundle_can_be_moved(folder: Path, rows: pa.Table, tmp_path: Path) -> None:
    shutil.move(folder, tmp_path / "elsewhere")
    assert set(load_bundle(tmp_path / "elsewhere").predict(rows)) == {"click", "buy"}


def test_the_files_hold_no_pickle_and_golden_is_parquet(folder: Path) -> None:
    suffixes = {path.suffix for path in folder.iterdir()}
    assert suffixes == {".onnx", ".json", ".yaml", ".parquet"}
    assert pq.read_table(folder / "golden.parquet").num_rows == 4
