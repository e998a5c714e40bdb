"""What each column of a table holds, measured on all of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from shopguide.logs._duckdb import identifier, quote

TIME_FORMATS = (
    "iso", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M",
    "%d.%m.%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%Y%m%d%H%M%S", "%Y%m%d",
    "%d %b %Y %H:%M:%S", "%d/%b/%Y:%H:%M:%S %z",
)  # fmt: skip
"""Formats that are tried, a day before a month where both would do."""

_EPOCHS = {"epoch_s": (2e8, 4.1e9), "epoch_ms": (2e11, 4.1e12), "epoch_us": (2e14, 4.1e15)}
_SAMPLE = 20_000
_TOP = 60
_FEW = 1_000
"""Different texts up to which all rows are counted by text."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds.

    Args:
        name: its name.
        filled: share of rows that are not empty.
        distinct: number of different texts, approximately.
        numbers: share of the filled rows that are numbers; `commas` with a comma for the cents.
        whole: share of the filled rows that are whole numbers.
        least: least number, NaN without any.
        most: largest number, NaN without any.
        top: the commonest texts with their rows, complete where there are few.
        times: share of a sample that each time format can read.
    """

    name: str
    filled: float
    distinct: int
    numbers: float
    commas: float
    whole: float
    least: float
    most: float
    top: Mapping[str, int]
    times: Mapping[str, float]

    @property
    def example(self) -> str:
        """One of its texts."""
        return next(iter(self.top), "")

    @property
    def flag(self) -> bool:
        """Whether it says yes or no."""
        texts = {text.lower() for text in self.top}
        spelt = {"0", "1", "0.0", "1.0", "-1", "true", "false", "yes", "no", "t", "f", "y", "n"}
        return bool(texts) and len(self.top) <= 3 and texts <= spelt

    def time_format(self) -> list[str]:
        """Return the formats that read nearly all of a sample, none if no two of them do."""
        ranked = sorted(self.times.items(), key=lambda pair: -pair[1])
        if not ranked or ranked[0][1] <= 0:
            return []
        if ranked[0][1] >= 0.98:
            return [name for name, share in ranked if share >= ranked[0][1]]
        if len(ranked) > 1 and ranked[1][1] > 0 and ranked[0][1] + ranked[1][1] >= 0.98:
            return [ranked[0][0], ranked[1][0]]
        return []


def profile(connection: duckdb.DuckDBPyConnection, table: str) -> list[Column]:
    """Measure every column of a table of texts.

    Args:
        connection: holds the table, as `read_export` makes it.
        table: its name.
    """
    own = ("_file", "_file_number", "_line")
    names = [
        row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall() if row[0] not in own
    ]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE sampled AS FROM {table} "
        f"USING SAMPLE reservoir({_SAMPLE} ROWS) REPEATABLE (0)"
    )
    return [_column(connection, table, name) for name in names]


def _column(connection: duckdb.DuckDBPyConnection, table: str, name: str) -> Column:
    text = f"nullif(trim({identifier(name)}), '')"
    number = f"try_cast({text} AS DOUBLE)"
    digits = f"regexp_full_match({text}, '-?[0-9]+')"
    comma = f"regexp_full_match({text}, '-?[0-9.]*[0-9],[0-9]{{1,2}}')"
    found = connection.execute(
        f"SELECT count(*), count({text}), approx_count_distinct({text}), count({number}), "
        f"coalesce(count_if({comma}), 0), coalesce(count_if({digits}), 0), "  # NULL: all empty
        f"min({number}), max({number}) FROM {table}"
    ).fetchone()
    assert found is not None
    rows, filled, distinct, numbers, commas, whole, least, most = found
    few = table if distinct <= _FEW else "sampled"  # what is common is common in the sample too
    top = connection.execute(
        f"SELECT {text} AS t, count(*) AS n FROM {few} WHERE {text} IS NOT NULL GROUP BY t "
        f"ORDER BY n DESC, t LIMIT {_TOP}"
    ).fetchall()
    some = max(filled, 1)
    return Column(
        name=name,
        filled=filled / max(rows, 1),
        distinct=int(distinct),
        numbers=numbers / some,
        commas=commas / some,
        whole=whole / some,
        least=float("nan") if least is None else least,
        most=float("nan") if most is None else most,
        top={str(t): int(n) for t, n in top},
        times=_times(connection, text, numbers / some),
    )


def _times(connection: duckdb.DuckDBPyConnection, text: str, numbers: float) -> Mapping[str, float]:
    """Return the share of a sample that each format reads as a time since 1971 and before 2100."""
    tried: Sequence[str] = [*_EPOCHS, "%Y%m%d", "%Y%m%d%H%M%S"] if numbers > 0.9 else TIME_FORMATS
    shares = ", ".join(f"count_if({_reads(text, form)})" for form in tried)
    found = connection.execute(f"SELECT count({text}), {shares} FROM sampled").fetchone()
    assert found is not None
    return {
        form: read / max(found[0], 1) for form, read in zip(tried, found[1:], strict=True) if read
    }


def _reads(text: str, form: str) -> str:
    if form in _EPOCHS:
        least, most = _EPOCHS[form]
        return f"try_cast({text} AS DOUBLE) BETWEEN {least!r} AND {most!r}"
    time = f"try_cast({text} AS TIMESTAMPTZ)"
    if form != "iso":
        time = f"try_strptime({text}, {quote(form)})::TIMESTAMPTZ"
    return f"coalesce({time} >= '1970-01-01' AND {time} < '2100-01-01', false)"
