"""Golden rows are real rows with predictions, or the bundle says what they are instead."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from tests.bundles import rewrite

Change = Callable[[pa.Table], pa.Table]


def put(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda t: t.drop_columns(["prediction_buy"]), ": lacks the column prediction_buy"),
        (
            lambda t: put(t, "prediction_buy", ["0.5"] * 4),
            ", column prediction_buy: is of type string, expected the predicted numbers",
        ),
        (lambda t: t.drop_columns(["price"]), ", the table to score: lacks the columns price"),
        (lambda t: put(t, "price", ["1"] * 4), ", column price: is of type string"),
        (lambda t: pa.concat_tables([t] * 51), ": has 204 rows, expected at most 200"),
    ],
)
def test_golden_rows_of_another_form_are_refused(folder: Path, change: Change, what: str) -> None:
    pq.write_table(change(pq.read_table(folder / "golden.parquet")), folder / "golden.parquet")
    rewrite(folder, "golden.parquet", (folder / "golden.parquet").read_bytes())
    with pytest.raises(ShopguideError) as caught:
        load_bundle(folder).golden_difference()
    assert f"{folder}/golden.parquet{what}" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"rows", b"PAR1" + b"\0" * 40 + b"PAR1"])
def test_golden_rows_that_are_not_parquet_are_refused(folder: Path, content: bytes) -> None:
    rewrite(folder, "golden.parquet", content)
    with pytest.raises(ShopguideError, match=r"golden\.parquet: not a readable Parquet") as caught:
        load_bundle(folder).golden()
    assert "\n" not in str(caught.value)


def test_predictions_that_are_whole_numbers_are_numbers(folder: Path) -> None:
    table = put(pq.read_table(folder / "golden.parquet"), "prediction_buy", [0, 1, None, 0])
    pq.write_table(table, folder / "golden.parquet")
    rewrite(folder, "golden.parquet", (folder / "golden.parquet").read_bytes())
    assert load_bundle(folder).golden_difference() == float("inf")  # one of them is missing
