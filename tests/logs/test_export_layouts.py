"""The same export in other encodings, packings and formats is the same log."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopguide.errors import ShopguideError
from shopguide.logs._whole import refuse_what_is_not_whole

Prepare = Callable[..., Any]
ROWS = [
    {"user": "ü1", "item": "9007199254740993", "type": "view", "time": "2024-01-01 10:00:00"},
    {"user": "ü1", "item": "9007199254740993", "type": "buy", "time": "2024-01-01 10:05:00"},
]
CSV = "user,item,type,time\n" + "".join(",".join(row.values()) + "\n" for row in ROWS)
PLAIN = {"columns": {"value": None, "session_id": None}}


def framed(content: bytes) -> bytes:
    """Pack as a file of its own, with a length and a checksum to hold it to."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


JSONL = "".join(json.dumps(row | {"item": int(row["item"])}) + "\n" for row in ROWS)


@pytest.mark.parametrize(
    ("name", "content", "data"),
    [
        ("e.csv", CSV.encode("utf-16"), {"encoding": "utf-16"}),
        ("e.csv", CSV.encode("latin-1"), {"encoding": "latin-1"}),
        ("e.csv", CSV.encode("cp1252"), {"encoding": "cp1252"}),
        ("e.csv", CSV.encode("gbk"), {"encoding": "gbk"}),
        ("e.csv.gz", gzip.compress(CSV.encode("gb18030")), {"encoding": "gb18030"}),
        ("e.csv.zst", framed(CSV.encode()), {}),
        ("e.csv", CSV.replace("\n", "\n\n").encode(), {}),
        ("e.csv", b"\xef\xbb\xbf" + CSV.split("\n", 1)[1].encode(), {"header": [*ROWS[0]]}),
        ("e.jsonl", JSONL.encode(), {}),
        ("e.json.gz", gzip.compress(JSONL.encode()), {}),
        ("e.log", JSONL.encode(), {"format": "jsonl"}),
        ("e.csv", CSV.replace(",", "|").encode(), {"delimiter": "|"}),
    ],
    ids=[
        "utf-16", "latin-1", "cp1252", "gbk", "gb18030", "zst", "blank lines", "bom, no header",
        "jsonl", "packed jsonl", "jsonl by name", "pipe",
    ],
)  # fmt: skip
def test_the_layout_makes_no_difference(
    prepare: Prepare, name: str, content: bytes, data: dict[str, Any]
) -> None:
    log = prepare(content, name, **PLAIN, **data)
    assert log.rows("SELECT user_id, item_id, kind FROM events") == [
        ("ü1", "9007199254740993", "view"),
        ("ü1", "9007199254740993", "purchase"),
    ]


def test_a_line_that_is_no_object_is_set_apart(prepare: Prepare) -> None:
    content = JSONL + '{"user": "u1", \n[1]\n'
    log = prepare(content, "e.jsonl", max_bad_share=0.5, **PLAIN)
    assert log.summary.dropped == {"unusable, no JSON object": 2}
    assert "row 3: no JSON object: " in log.summary.examples[0]


def test_a_line_that_is_too_long_to_be_read_is_not_passed_over(prepare: Prepare) -> None:
    long = json.dumps(ROWS[0] | {"note": "x" * 3_000_000}) + "\n"
    with pytest.raises(ShopguideError, match="holds 3 lines, and 2 were understood"):
        prepare(JSONL + long, "e.jsonl", **PLAIN)


def test_the_wrong_encoding_names_the_byte(prepare: Prepare) -> None:
    with pytest.raises(ShopguideError) as caught:
        prepare(CSV.encode("latin-1"), "e.csv", encoding="gbk", **PLAIN)
    assert "byte 21 of the text: not gbk" in str(caught.value)


def test_a_packed_file_that_ends_early_is_refused(prepare: Prepare) -> None:
    with pytest.raises(ShopguideError, match="not a whole zstd file: Truncated"):
        prepare(framed(CSV.encode() * 99)[:-8], "e.csv.zst", **PLAIN)


def test_a_column_without_a_name_is_called_by_its_number(prepare: Prepare) -> None:
    content = "," + CSV.replace("\nü", "\n0,ü")
    log = prepare(content, **PLAIN, item_attributes={"row": "column_1"})
    assert log.rows("SELECT row FROM items") == [("0",)]


@pytest.mark.parametrize(
    ("time_format", "times"),
    [
        (["iso", "%d.%m.%Y %H:%M"], ("2024-01-01 10:00:00", "01.01.2024 10:05")),
        (["epoch_s", "iso"], ("1704103200", "2024-01-01T10:05:00Z")),
    ],
)
def test_of_several_time_formats_the_first_that_fits_counts(
    prepare: Prepare, time_format: list[str], times: tuple[str, str]
) -> None:
    content = CSV
    for row, time in zip(ROWS, times, strict=True):
        content = content.replace(row["time"], time)
    log = prepare(content, time_format=time_format, **PLAIN)
    found = log.rows("SELECT strftime(\"at\", '%Y-%m-%d %H:%M:%S') FROM events")
    assert found == [(row["time"],) for row in ROWS]


def test_an_hour_that_summer_time_skips_is_no_time(prepare: Prepare) -> None:
    content = CSV.replace("2024-01-01 10:05:00", "2024-03-31 02:30:00")
    with pytest.raises(ShopguideError, match="an hour that the clocks of Europe/Berlin skipped"):
        prepare(content, timezone="Europe/Berlin", **PLAIN)
    zoned = content.replace("2024-03-31 02:30:00", "2024-03-31 02:30:00+00:00")
    assert prepare(zoned, timezone="Europe/Berlin", **PLAIN).summary.rows["events"] == 2


FIELD = st.text(st.sampled_from('ab,"\n\r '), max_size=5)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(FIELD, min_size=2, max_size=2), min_size=1, max_size=8), st.booleans())
def test_records_are_counted_however_they_are_quoted(
    tmp_path: Path, rows: list[list[str]], ends: bool
) -> None:
    lines = [",".join('"' + field.replace('"', '""') + '"' for field in row) for row in rows]
    file = tmp_path / "e.csv"
    file.write_bytes(("\n".join(lines) + "\n" * ends).encode())
    assert refuse_what_is_not_whole(file, ",").number == len(rows)
