"""Rows of JSON become columns of the kinds that the bundle reads."""

import pytest

from serving.rows import BadRequestError, table_of
from shopguide.bundle import InputEntry

INPUTS = [InputEntry(name="seen", kind="sequence"), InputEntry(name="item_id", kind="categorical")]
AT = "2024-01-01T00:00:00+00:00"


def test_a_sequence_is_a_list_of_texts_or_unknown() -> None:
    rows = [
        {"seen": ["a", "b"], "item_id": "i", "shown_at": AT},
        {"seen": None, "item_id": None, "shown_at": AT},
    ]
    table = table_of(rows, INPUTS)
    assert table.column("seen").to_pylist() == [["a", "b"], None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seen": "a"}, r"rows\[0\]\.seen: is 'a', expected a list of texts"),
        ({"item_id": ["i"]}, r"rows\[0\]\.item_id: is .*, expected one value"),
        ({"shown_at": None}, r"rows\[0\]\.shown_at: is null"),
        ({"shown_at": "0001-01-01T00:00:00+14:00"}, r"rows\[0\]\.shown_at: .* years 1 to 9999"),
        ({"shown_at": "9999-12-31T23:59:59-14:00"}, r"rows\[0\]\.shown_at: .* years 1 to 9999"),
    ],
)
def test_what_is_not_of_its_inputs_kind_is_refused(
    change: dict[str, str | list[str] | None], message: str
) -> None:
    with pytest.raises(BadRequestError, match=message):
        table_of([{"seen": ["a"], "item_id": "i", "shown_at": AT} | change], INPUTS)
