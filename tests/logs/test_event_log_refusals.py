"""What cannot be read as the mapping says is refused: where, what, and how to mend it."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shopguide.errors import ShopguideError

Prepare = Callable[..., Any]

HEADER = "user,item,type,time,price,session\n"
VIEW = "u1,i1,view,2024-01-01 10:00:00,5,s1\n"
BUY = "u1,i1,buy,2024-01-01 10:05:00,5.5,s1\n"


def refusal(prepare: Prepare, content: str | bytes, name: str = "e.csv", **data: object) -> str:
    """Return the message, paths shortened to names; `prepare` checks that nothing was written."""
    with pytest.raises(ShopguideError) as caught:
        prepare(content, name, **data)
    assert caught.value.exit_code == 2
    folder = Path(caught.value.where).parent
    message = str(caught.value)
    return message.replace(f"{folder}/", "") if folder.is_absolute() else message


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "u1,i1,swipe,2024-01-01 10:00:00,5,s1",
            "e.csv, row 4, column type: 'swipe' is not one of buy, view. Map it in data.kinds",
        ),
        (
            "u1,i1,view,yesterday,5,s1",
            "e.csv, row 4, column time: 'yesterday' is no time as 'iso'. Set data.time_format",
        ),
        (
            "u1,i1,view,infinity,5,s1",
            "e.csv, row 4, column time: 'infinity' is no time as 'iso'. Set data.time_format",
        ),
        (
            "u1,i1,view,,5,s1",
            "e.csv, row 4, column time: '' is no time as 'iso'. Set data.time_format",
        ),
        (
            "u1,i1,view,2024-01-01 10:00:00,-0.01,s1",
            "e.csv, row 4, column price: '-0.01' is negative money. "
            "Export returns as a kind of their own, or set data.returns",
        ),
        *(
            (
                f"u1,i1,view,2024-01-01 10:00:00,{money},s1",
                f"e.csv, row 4, column price: '{money}' is not a finite number. "
                "Mend the value, or leave it empty; where a comma parts the cents, set "
                "data.decimal",
            )
            for money in ("nan", "inf", "-inf", "1e999", "5 EUR")
        ),
        (
            ",i1,view,2024-01-01 10:00:00,5,s1",
            "e.csv, row 4, column user: '' is empty. Fill it, or leave the row out",
        ),
        (
            'u1,"",view,2024-01-01 10:00:00,5,s1',
            "e.csv, row 4, column item: '' is empty. Fill it, or leave the row out",
        ),
        (
            "u1,i1,view,2024-01-01 10:00:00,5",
            "e.csv, row 4: too few fields: 'u1,i1,view,2024-01-01 10:00:00,5'. "
            "Mend the row, or leave it out",
        ),
        (
            "u1,i1,view,2024-01-01 10:00:00,5,s1,x,y",
            "e.csv, row 4: too many fields: 'u1,i1,view,2024-01-01 10:00:00,5,s1,x,y'. "
            "Mend the row, or leave it out",
        ),
        (
            'u1,"i"1,view,2024-01-01 10:00:00,5,s1',
            "e.csv, row 4: a quote that is not closed: "
            "'u1,\"i\"1,view,2024-01-01 10:00:00,5,s1'. "
            "Mend the row, or leave it out",
        ),
    ],
)
def test_a_bad_row_is_named_by_its_line(prepare: Prepare, row: str, message: str) -> None:
    told, total = refusal(prepare, HEADER + VIEW + BUY + row + "\n").splitlines()
    assert told == message
    assert total.endswith(
        "1 of 3 rows cannot be used (33.33%); 0.10% may be. "
        "Mend the export, or raise data.max_bad_share"
    )


def test_a_row_that_is_not_utf8_is_named(prepare: Prepare) -> None:
    bad = "ü1,i1,view,2024-01-01 10:00:00,5,s1\n".encode("latin-1")
    message = refusal(prepare, (HEADER + VIEW).encode() + bad + BUY.encode())
    assert message.startswith("e.csv, row 3: not UTF-8: ")


def test_rows_are_named_by_the_line_that_follows_a_bad_one(prepare: Prepare) -> None:
    content = HEADER + VIEW + "u1,i1\n" + BUY.replace("buy", "swipe")
    lines = refusal(prepare, content).splitlines()
    found = [line.split(":")[0] for line in lines[:2]]
    assert sorted(found) == ["e.csv, row 3", "e.csv, row 4, column type"]


def test_all_kinds_of_problem_are_told_at_once_with_three_examples_each(prepare: Prepare) -> None:
    rows = VIEW.replace("view", "swipe") * 5 + VIEW.replace(",5,", ",-5,")
    lines = refusal(prepare, HEADER + VIEW + rows).splitlines()
    assert len(lines) == 5
    assert [line.split(",")[1] for line in lines[:4]] == [" row 3", " row 4", " row 5", " row 8"]
    assert lines[0].endswith(
        "'swipe' is not one of buy, view (5 rows in all). Map it in data.kinds"
    )


def test_the_three_commonest_reasons_are_told_and_the_others_counted(prepare: Prepare) -> None:
    rows = "u1\n" * 7 + VIEW.replace("view", "swipe") * 4 + VIEW.replace("u1", "") * 3
    lines = refusal(prepare, HEADER + VIEW + rows + VIEW.replace(",5,", ",-5,") * 2).splitlines()
    assert [line.split(": ")[0] for line in lines[:9:3]] == [
        "e.csv, row 3",
        "e.csv, row 10, column type",
        "e.csv, row 14, column user",
    ]
    assert len(lines) == 10
    assert lines[0].endswith("too few fields: 'u1' (7 rows in all). Mend the row, or leave it out")
    assert lines[9].endswith(
        "16 of 17 rows cannot be used (94.12%, 2 of them for other reasons); 0.10% may be. "
        "Mend the export, or raise data.max_bad_share"
    )


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "e.csv", "e.csv: is empty. Export it again"),
        (b"\n\n", "e.csv", "e.csv, row 1: no header. Export it again, or set data.header"),
        (HEADER, "e.csv", "e.csv: holds no row. Export it again"),
        (
            gzip.compress((HEADER + VIEW * 99).encode())[:-20],
            "e.csv.gz",
            "e.csv.gz: not a whole gzip file: Compressed file ended before the end-of-stream "
            "marker was reached. Copy or export it again",
        ),
        (
            (HEADER + VIEW).encode(),
            "e.csv.gz",
            "e.csv.gz: not a whole gzip file: Not a gzipped file (b'us'). Copy or export it again",
        ),
        (
            HEADER + VIEW + 'u1,"i1,view,2024-01-01 10:00:00,5,s1\n' + BUY,
            "e.csv",
            "e.csv, row 3: a quote that is not closed before the file ends: "
            "'\"i1,view,2024-01-01 10:00:00,5,s1\\n"
            "u1,i1,buy,2024-01-01 10:05:00,5.5,s1\\n'. Close it, or end the file before that row",
        ),
        (
            HEADER + VIEW + 'u1,"i""',  # a doubled quote is one of the text's, and closes nothing
            "e.csv",
            'e.csv, row 3: a quote that is not closed before the file ends: \'"i""\'. '
            "Close it, or end the file before that row",
        ),
        (
            HEADER.replace("session", "User") + VIEW,
            "e.csv",
            "e.csv, row 1: the header repeats User, user. Give each column one name, "
            "or name the columns in data.header",
        ),
        (
            HEADER.replace("session", "_line") + VIEW,
            "e.csv",
            "e.csv, row 1: the name _line is taken. Rename the column, "
            "or name the columns in data.header",
        ),
    ],
    ids=[
        "empty",
        "blank",
        "header only",
        "cut gzip",
        "no gzip",
        "open quote",
        "doubled",
        "twice",
        "taken",
    ],
)
def test_a_file_that_is_not_whole_is_refused(
    prepare: Prepare, content: str | bytes, name: str, message: str
) -> None:
    assert refusal(prepare, content, name) == message


def test_a_broken_parquet_file_is_refused(prepare: Prepare) -> None:
    message = refusal(prepare, b"PAR1 and no more", "e.parquet")
    assert message.startswith("e.parquet: cannot be read: ")
    assert message.endswith(". Give a whole CSV, TSV, JSONL or Parquet file, every quote closed")


def test_every_column_that_is_mapped_and_missing_is_named(prepare: Prepare) -> None:
    message = refusal(
        prepare,
        "user,item,type,price,session\nu1,i1,view,5,s1\n",
        item_attributes={"brand": "make"},
        columns={"place_id": "shop"},
    )
    assert message.splitlines() == [
        f"e.csv: no column '{column}' ({field}); it has user, item, type, price, session. "
        "Map a column that it has"
        for column, field in [
            ("time", "data.columns.at"),
            ("shop", "data.columns.place_id"),
            ("make", "data.item_attributes.brand"),
        ]
    ]


def test_a_wrong_delimiter_shows_the_header(prepare: Prepare) -> None:
    message = refusal(prepare, (HEADER + VIEW).replace(",", ";"))
    assert "it has user;item;type;time;price;session" in message


def test_files_with_other_columns_are_refused(prepare: Prepare, tmp_path: Path) -> None:
    folder = tmp_path.parent / f"{tmp_path.name}-daily"
    folder.mkdir()
    (folder / "1.csv").write_text(HEADER.strip() + ",a\n" + VIEW.strip() + ",1\n")
    (folder / "2.csv").write_text(HEADER.strip() + ",b\n" + VIEW.strip() + ",1\n")
    message = refusal(prepare, "", path=f"{folder}/*.csv")
    assert message == (
        "2.csv: other columns than 1.csv: more b; lacking a. Export all files with the same columns"
    )


def test_no_file_is_refused(prepare: Prepare, tmp_path: Path) -> None:
    pattern = f"{tmp_path}/none-*.csv"
    with pytest.raises(ShopguideError) as caught:
        prepare("", path=pattern)
    assert str(caught.value) == (
        f"data.path {pattern}: no such file. Give the path of the export, or a glob"
    )


@pytest.mark.parametrize("time", ["1704103200000", "1704103200000000", "1e300", "nan", "inf"])
def test_seconds_beyond_the_year_9999_are_another_unit(prepare: Prepare, time: str) -> None:
    content = HEADER + VIEW.replace("2024-01-01 10:00:00", time)
    assert refusal(prepare, content, time_format="epoch_s").splitlines()[0] == (
        f"e.csv, row 2, column time: '{time}' is no time as 'epoch_s'. Set data.time_format"
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "time_format",
            "%Y-%q",
            "spec data.time_format: Failed to parse format specifier %Y-%q: Unrecognized format "
            "for strftime/strptime: %q. Give iso, epoch_s, epoch_ms, epoch_us or a strptime format",
        ),
        (
            "exposure",
            {"event": "purchase"},
            "data.exposure.event: no event of kind 'purchase'. Name the kind that is a view",
        ),
    ],
)
def test_a_mapping_that_fits_no_event_is_refused(
    prepare: Prepare, field: str, value: object, message: str
) -> None:
    assert refusal(prepare, HEADER + VIEW, **{field: value}) == message


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("ends", "message"),
    [
        (("\n", "\n", "\r\n", "\n"), "line 3: ends in CRLF, and line 1 in LF"),
        (("\r\n", "\r\n", "\r\n", "\n"), "line 4: ends in LF, and line 1 in CRLF"),
    ],
)
def test_mixed_line_ends_are_named(
    prepare: Prepare, ends: tuple[str, ...], message: str, compressed: bool
) -> None:
    rows = (HEADER, VIEW, VIEW.replace("u1", "u2"), BUY)
    content = "".join(row.strip() + end for row, end in zip(rows, ends, strict=True)).encode()
    name = "e.csv.gz" if compressed else "e.csv"
    told = refusal(prepare, gzip.compress(content) if compressed else content, name)
    assert told == f"{name}, {message}. Let every line end alike, as dos2unix does"


def test_a_file_of_crlf_lines_is_read(prepare: Prepare) -> None:
    found = prepare((HEADER + VIEW + BUY).replace("\n", "\r\n"))
    assert found.summary.rows["events"] == 2
