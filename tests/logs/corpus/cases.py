"""The cases: a defect, what `prepare` does of it, and what `init` does."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.logs.corpus.export import HEADER, Row, rows, text


@dataclass(frozen=True, slots=True)
class Case:
    """One defect.

    Args:
        content: the file.
        refused: part of the message of `prepare`, exit code 2; None: it reads the file.
        dropped: rows that `prepare` leaves out, by reason.
        noted: part of a note of `prepare`.
        data: fields of the spec's data section that `prepare` is given.
        init_refused: part of the message of `init`; None: it writes a spec that reads the file.
        told: parts of the guesses of `init`, each `field value why`.
        name: of the file.
    """

    content: bytes
    refused: str | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    noted: str | None = None
    data: dict[str, object] = field(default_factory=dict)
    init_refused: str | None = None
    told: tuple[str, ...] = ()
    name: str = "export.csv"


def _csv(change: Callable[[list[Row]], object] = lambda _: None, header: Row = HEADER) -> bytes:
    content = rows()
    change(content)
    return text(content, header).encode()


def _set(number: int, column: str, value: str) -> Callable[[list[Row]], None]:
    def change(content: list[Row]) -> None:
        content[number][HEADER.index(column)] = value

    return change


def _all(column: str, change: Callable[[int, str], str]) -> Callable[[list[Row]], None]:
    def every(content: list[Row]) -> None:
        at = HEADER.index(column)
        for number, row in enumerate(content):
            row[at] = change(number, row[at])

    return every


def _both(*changes: Callable[[list[Row]], object]) -> Callable[[list[Row]], None]:
    def all_of(content: list[Row]) -> None:
        for change in changes:
            change(content)

    return all_of


def _with_currency() -> bytes:
    content = [[*row, "USD" if number % 3 else "EUR"] for number, row in enumerate(rows())]
    return text(content, [*HEADER, "currency"]).encode()


def _bad_checksum() -> bytes:
    packed = bytearray(gzip.compress(_csv()))
    packed[-6] ^= 0xFF  # in the CRC-32 of the trailer
    return bytes(packed)


def _early(content: list[Row]) -> None:
    """An order of a pair that is first seen an hour later."""
    content.insert(0, ["100", "new", "buy", "2024-03-02 10:00:00", "5.50", "x"])
    content.insert(0, ["100", "new", "view", "2024-03-02 11:00:00", "5.50", "x"])


def _mixed_times(number: int, stamp: str) -> str:
    if number % 2:
        return stamp
    date, time = stamp.split(" ")
    year, month, day = date.split("-")
    return f"{day}/{month}/{year} {time}"


CASES: dict[str, Case] = {
    "whole": Case(_csv()),
    "cut off in its last line": Case(
        _csv()[:-30],
        dropped={"unusable, too few fields": 1},
        told=("data.max_bad_share 0.001 rows that cannot be used: 1 too few fields",),
    ),
    "ragged rows, a few": Case(
        _csv(lambda c: c[7].append("more")),
        dropped={"unusable, too many fields": 1},
    ),
    "ragged rows, many": Case(
        _csv(lambda c: [row.append("more") for row in c[:300]]),
        refused="export.csv, row 2: too many fields",
        init_refused="cannot be used",
    ),
    "quotes around and in fields": Case(
        _csv(_both(_set(3, "item", '"5"" bulb, warm"'), _set(4, "user", '"101"'))),
    ),
    "a quote within a field": Case(_csv(_set(3, "item", '5" bulb'))),
    "a byte order mark": Case(b"\xef\xbb\xbf" + _csv(), told=()),
    "mixed line ends": Case(
        _csv().replace(b"\n", b"\r\n", 4),
        refused="line 5: ends in LF, and line 1 in CRLF",
        init_refused="line 5: ends in LF, and line 1 in CRLF",
    ),
    "empty": Case(b"", refused="is empty", init_refused="is empty"),
    "header only": Case(text([]).encode(), refused="holds no row", init_refused="holds no row"),
    "a header that repeats": Case(
        _csv(header=[*HEADER[:5], "User"]),
        refused="the header repeats User, user",
        init_refused="the header repeats User, user",
    ),
    "an unknown kind": Case(
        _csv(_set(3, "type", "swipe")),
        dropped={"unusable, type: not one of buy, cart, view": 1},
        told=("data.kinds swipe kinds that are not known",),
    ),
    "1970 and 2099": Case(
        _csv(_both(_set(3, "time", "1970-01-01 00:00:00"), _set(9, "time", "2099-01-01"))),
        dropped={
            "unusable, time: before 1971, as a clock says that was never set": 1,
            "unusable, time: in the future, which would move the end of the log": 1,
        },
    ),
    "an hour that summer time skips": Case(
        _csv(_set(3, "time", "2024-03-31 02:30:00")),
        data={"timezone": "Europe/Berlin"},
        dropped={"unusable, time: an hour that the clocks of Europe/Berlin skipped": 1},
        told=("data.timezone UTC the times name no zone",),
    ),
    "times in two formats": Case(
        _csv(_all("time", _mixed_times)),
        refused="is no time as 'iso'",
        told=("times are written in two ways",),
    ),
    "ids that became floats": Case(_csv(_all("user", lambda _, text: f"{text}.0"))),
    "leading zeros": Case(_csv(_all("item", lambda _, text: f"{int(text):08}"))),
    "ids beyond 2^53": Case(_csv(_all("item", lambda _, text: f"90071992547409{int(text):05}"))),
    "ids that lost digits": Case(
        _csv(_all("item", lambda _, text: f"9.0071{int(text):02}E+18")),
        refused="went through a float and lost its last digits",
        init_refused="went through a float and lost its last digits",
    ),
    "money below 0": Case(
        _csv(_set(3, "price", "-4.50")), dropped={"unusable, price: negative money": 1}
    ),
    "a comma before the cents": Case(
        _csv(_all("price", lambda _, text: f'"{text.replace(".", ",")}"')),
        refused="where a comma parts the cents, set data.decimal",
        told=("data.decimal , money is written like",),
    ),
    "two currencies": Case(
        _with_currency(),
        data={"columns": {"currency": "currency"}},
        refused="money in several currencies, and no rate for USD",
        told=("data.columns.value null money in 2 currencies",),
    ),
    "no user and no item": Case(
        _csv(_both(_set(3, "user", ""), _set(9, "item", ""))),
        dropped={"unusable, item: empty": 1, "unusable, user: empty": 1},
    ),
    "the same event twice": Case(
        _csv(lambda c: c.insert(5, list(c[5]))), dropped={"duplicates": 1}
    ),
    "an order before the first view": Case(
        _csv(_early), noted="1 other events come before the first impression"
    ),
    "a wrong checksum": Case(
        _bad_checksum(),
        refused="not a whole gzip file: CRC check failed",
        init_refused="CRC check failed",
        name="export.csv.gz",
    ),
}
