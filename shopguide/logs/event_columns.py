"""Give the mapped columns of an export their types, and set apart the rows that have none."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from shopguide.errors import ShopguideError
from shopguide.logs._duckdb import count, identifier, quote
from shopguide.spec.event_log import EventLog

_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}  # microseconds a unit
_FIRST, _LAST = "0001-01-01", "9999-12-31"  # years that people write, and that Python has
_ZONED = "([zZ]|UTC|GMT|[+-][0-9]{2}:?([0-9]{2})?)$"
_START = "TIMESTAMPTZ '2000-01-01 00:00:00+00'"  # of a log without times, whose rows are in order


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes a row unusable: a condition in SQL, the column to blame, reason and remedy."""

    condition: str
    column: str
    reason: str
    fix: str


def check_time_formats(connection: duckdb.DuckDBPyConnection, data: EventLog) -> None:
    """Refuse a time format that is none.

    Raises:
        ShopguideError: names the format.
    """
    for time_format in time_formats(data):
        try:
            connection.execute("SELECT try_strptime('', $format)", {"format": time_format})
        except duckdb.Error as error:
            raise ShopguideError(
                "spec data.time_format",
                str(error).splitlines()[0].removeprefix("Invalid Input Error: "),
                "Give iso, epoch_s, epoch_ms, epoch_us or a strptime format",
            ) from None


def time_formats(data: EventLog) -> list[str]:
    """Return the time formats of a mapping, in the order in which they are tried."""
    return [data.time_format] if isinstance(data.time_format, str) else data.time_format


def type_columns(connection: duckdb.DuckDBPyConnection, data: EventLog) -> None:
    """Create `typed`: `raw` with a column `_…` for every field of the mapping.

    What does not fit becomes null; `set_apart` finds it.

    Args:
        connection: holds `raw`; its time zone is that of the shop.
        data: the mapping.

    Raises:
        ShopguideError: ids that lost their last digits.
    """
    columns = data.columns
    kinds = " ".join(
        f"WHEN {quote(raw)} THEN {quote(kind)}" for raw, kind in sorted(data.kinds.items()) if kind
    )
    kind = "NULL" if data.every_row is None else quote(data.every_row)
    if columns.kind and kinds:
        kind = f"CASE {identifier(columns.kind)} {kinds} END"
    value = text_of(columns.value, data)
    money = money_of(columns.value, data)
    if columns.quantity is not None:
        money = f"{money} * try_cast({text_of(columns.quantity, data)} AS DOUBLE)"
    ids = {
        field: id_of(connection, getattr(columns, column), data)
        for field, column in (
            ("_user", "user_id"),
            ("_item", "item_id"),
            ("_session", "session_id"),
            ("_event", "event_id"),
            ("_place", "place_id"),
            ("_request", "request_id"),
        )
    }
    typed = ", ".join(f"{sql} AS {field}" for field, sql in ids.items())
    connection.execute(
        f"""
        CREATE TABLE typed AS
        SELECT *, {typed}, {kind}::VARCHAR AS _kind,
               {_at(columns.at, data)} AS _at, {_skipped(columns.at, data)} AS _skipped,
               {value} AS _text_of_value, {money} AS _value,
               {text_of(columns.currency, data)} AS _currency,
               try_cast({text_of(columns.position, data)} AS DOUBLE) AS _position,
               try_cast({text_of(columns.propensity, data)} AS DOUBLE) AS _propensity,
               try_cast({text_of(columns.sample_weight, data)} AS DOUBLE) AS _weight,
               {time_of(columns.received_at, data)} AS _received
        FROM raw
        """
    )


def set_apart(connection: duckdb.DuckDBPyConnection, data: EventLog) -> dict[str, int]:
    """Move the rows that cannot be used from `typed` to `quarantine`.

    Returns:
        Rows left out because the mapping says so, by reason.
    """
    before = count(connection, "SELECT count(*) FROM typed")
    apart = count(connection, "SELECT count(*) FROM quarantine")
    ignored = _leave_out_kinds(connection, data)
    rules = _rules(data)
    verdict = " ".join(f"WHEN {rule.condition} THEN {n}" for n, rule in enumerate(rules))
    connection.execute(
        f"CREATE TABLE unusable AS SELECT *, CASE {verdict} END AS _n FROM typed "
        f"WHERE (CASE {verdict} END) IS NOT NULL"
    )
    names = [row[0] for row in connection.execute("DESCRIBE raw").fetchall()]
    fields = ", ".join(
        f"{quote(name)}: {identifier(name)}"
        for name in names
        if name not in ("_file", "_file_number", "_line")
    )
    for number, rule in enumerate(rules):
        connection.execute(
            f"INSERT INTO quarantine SELECT _file, _line, {quote(rule.column)}, "
            f"{quote(rule.reason)}, {identifier(rule.column)}, {quote(rule.fix)}, "
            f"to_json({{{fields}}}) FROM unusable WHERE _n = {number}"
        )
    connection.execute(f"DELETE FROM typed WHERE (CASE {verdict} END) IS NOT NULL")
    connection.execute("DROP TABLE unusable")
    left = count(connection, "SELECT count(*) FROM typed")
    moved = count(connection, "SELECT count(*) FROM quarantine") - apart
    assert left + moved + sum(ignored.values()) == before, f"{before} rows became {left} + {moved}"
    return ignored


def _leave_out_kinds(connection: duckdb.DuckDBPyConnection, data: EventLog) -> dict[str, int]:
    names = sorted(raw for raw, kind in data.kinds.items() if kind is None)
    if not names or data.columns.kind is None:
        return {}
    column, texts = identifier(data.columns.kind), ", ".join(map(quote, names))
    number = count(connection, f"SELECT count(*) FROM typed WHERE {column} IN ({texts})")
    connection.execute(f"DELETE FROM typed WHERE {column} IN ({texts})")
    return {f"of kind {' or '.join(names)}": number}


def _rules(data: EventLog) -> Sequence[Rule]:
    columns, fill = data.columns, "Fill it, or leave the row out"
    rules = [Rule("_item IS NULL", columns.item_id, "empty", fill)]
    if columns.user_id is not None:
        rules.insert(0, Rule("_user IS NULL", columns.user_id, "empty", fill))
    if columns.kind is not None:
        allowed = ", ".join(sorted(data.kinds))
        what = f"not one of {allowed}"
        rules.append(Rule("_kind IS NULL", columns.kind, what, "Map it in data.kinds"))
    if columns.at is not None:
        rules += _time_rules(columns.at, data)
    if columns.value is not None:
        rules += _money_rules(columns.value, data)
    for field, column, condition, reason in (
        ("_position", columns.position, "_position >= 1", "no place in a list, from 1"),
        (
            "_propensity",
            columns.propensity,
            "_propensity > 0 AND _propensity <= 1",
            "no probability above 0 and up to 1",
        ),
        (
            "_weight",
            columns.sample_weight,
            "_weight > 0 AND isfinite(_weight)",
            "no weight above 0",
        ),
    ):
        if column is not None:
            given = f"{text_of(column, data)} IS NOT NULL"
            rules.append(
                Rule(f"{given} AND NOT coalesce({condition}, false)", column, reason, _mend(field))
            )
    return rules


def _mend(field: str) -> str:
    return (
        f"Mend it, or map no column to {field.removeprefix('_').replace('weight', 'sample_weight')}"
    )


def _time_rules(column: str, data: EventLog) -> list[Rule]:
    formats = " or ".join(map(repr, time_formats(data)))
    return [
        Rule("_at IS NULL", column, f"no time as {formats}", "Set data.time_format"),
        Rule(
            "_at > now() + INTERVAL 1 DAY",
            column,
            "in the future, which would move the end of the log",
            "Mend the clock, or leave the row out",
        ),
        Rule(
            "_at < TIMESTAMPTZ '1971-01-01 00:00:00+00'",
            column,
            "before 1971, as a clock says that was never set",
            "Mend the clock, or leave the row out",
        ),
        Rule(
            "_skipped",
            column,
            f"an hour that the clocks of {data.timezone} skipped",
            "Set data.timezone to the zone that the times are in",
        ),
    ]


def _money_rules(column: str, data: EventLog) -> list[Rule]:
    number = "Mend the value, or leave it empty"
    if data.decimal == ".":
        number += "; where a comma parts the cents, set data.decimal"
    rules = [
        Rule(
            "_text_of_value IS NOT NULL AND (_value IS NULL OR NOT isfinite(_value))",
            column,
            "not a finite number",
            number,
        )
    ]
    back = data.returns is not None and data.returns.negative
    event = quote(data.returns.event) if data.returns is not None else "''"
    rules.append(
        Rule(
            f"_value < 0 AND _kind IS DISTINCT FROM {event}" if back else "_value < 0",
            column,
            "negative money",
            "Export returns as a kind of their own, or set data.returns",
        )
    )
    return rules


def text_of(column: str | None, data: EventLog) -> str:
    """Return the SQL of a column's text, null where nothing is known."""
    if column is None:
        return "NULL::VARCHAR"
    text = f"nullif({identifier(column)}, '')"
    if data.nulls:
        text = f"CASE WHEN {text} NOT IN ({', '.join(map(quote, data.nulls))}) THEN {text} END"
    return f"({text})"


def id_of(
    connection: duckdb.DuckDBPyConnection,
    column: str | None,
    data: EventLog,
    table: str = "raw",
) -> str:
    """Return the SQL of an id; one that became a float on its way is the whole number again.

    Args:
        connection: holds the table.
        column: of the table.
        data: says what means nothing.
        table: where the column is.

    Raises:
        ShopguideError: a float cannot hold all digits of such an id.
    """
    text = text_of(column, data)
    points = f"SELECT bool_or(contains({text}, '.'))::INTEGER FROM {table}"
    if column is None or not count(connection, points):
        return text
    lost = connection.execute(
        f"SELECT _file, _line, {text} FROM {table} WHERE regexp_full_match({text}, "
        "'[0-9]\\.[0-9]+[eE]\\+?[0-9]{2}|[0-9]{16,}\\.0+') "
        "ORDER BY _file_number, _line LIMIT 1"
    ).fetchone()
    if lost is not None:
        raise ShopguideError(
            f"{lost[0]}, row {lost[1]}, column {column}",
            f"{lost[2]!r} is an id that went through a float and lost its last digits",
            "Export ids as text or whole numbers",
        )
    floats = count(
        connection,
        f"SELECT (bool_and(regexp_full_match({text}, '-?[0-9]+(\\.0+)?')) AND "
        f"bool_or(regexp_full_match({text}, '-?[0-9]+\\.0+')))::INTEGER FROM {table}",
    )
    return f"regexp_replace({text}, '\\.0+$', '')" if floats else text


def money_of(column: str | None, data: EventLog) -> str:
    """Return the SQL of money: signs of currency and commas between thousands are read over."""
    if column is None:
        return "NULL::DOUBLE"
    text = f"regexp_replace({text_of(column, data)}, '[€$£¥\\s]', '', 'g')"
    if data.decimal == ",":
        text = f"replace(replace({text}, '.', ''), ',', '.')"
    else:
        thousands = "'-?[0-9]{1,3}(,[0-9]{3})+(\\.[0-9]+)?'"
        text = (
            f"CASE WHEN regexp_full_match({text}, {thousands}) "
            f"THEN replace({text}, ',', '') ELSE {text} END"
        )
    return f"try_cast({text} AS DOUBLE)"


def time_of(column: str | None, data: EventLog) -> str:
    """Return the SQL of an instant, null where the text is none."""
    if column is None:
        return "NULL::TIMESTAMPTZ"
    text = f"trim({text_of(column, data)})"
    tried = ", ".join(_as_time(text, time_format) for time_format in time_formats(data))
    instant = f"coalesce({tried})"
    return f"(CASE WHEN {instant} >= '{_FIRST}' AND {instant} < '{_LAST}' THEN {instant} END)"


def _at(column: str | None, data: EventLog) -> str:
    if column is None:
        return f"{_START} + to_seconds(10 * row_number() OVER (ORDER BY _file_number, _line))"
    return time_of(column, data)


def _as_time(text: str, time_format: str) -> str:
    """Return the SQL of an instant; a time without a zone is in the connection's zone."""
    if time_format == "iso":
        return f"try_cast({text} AS TIMESTAMPTZ)"
    if time_format not in _EPOCHS:
        return f"try_strptime({text}, {quote(time_format)})::TIMESTAMPTZ"
    microseconds = f"try_cast({text} AS DOUBLE) * {_EPOCHS[time_format]}"
    instant = f"make_timestamptz(({microseconds})::BIGINT)"
    return f"(CASE WHEN abs({microseconds}) < 1e18 THEN {instant} END)"


def _skipped(column: str | None, data: EventLog) -> str:
    """Return the SQL of: a time without a zone, in the hour that summer time skips."""
    if column is None or data.timezone == "UTC":
        return "false"
    text = f"trim({text_of(column, data)})"
    naive = [
        f"try_cast({text} AS TIMESTAMP)"
        if form == "iso"
        else f"try_strptime({text}, {quote(form)})"
        for form in time_formats(data)
        if form not in _EPOCHS and "%z" not in form.lower()
    ]
    if not naive:
        return "false"
    local = f"coalesce({', '.join(naive)})"
    return (
        f"coalesce(NOT regexp_matches({text}, {quote(_ZONED)}) AND "
        f"({local})::TIMESTAMPTZ::TIMESTAMP <> {local}, false)"
    )


def convert_money(connection: duckdb.DuckDBPyConnection, data: EventLog) -> None:
    """Bring `typed`'s money into one currency.

    Raises:
        ShopguideError: several currencies, and no rate for one of them.
    """
    if data.columns.currency is None:
        return
    found = connection.execute(
        "SELECT _currency, count(*) FROM typed WHERE _value IS NOT NULL AND _currency IS NOT NULL "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    rates = {**({data.currency: 1.0} if data.currency else {}), **data.rates}
    unknown = [name for name, _ in found if name not in rates]
    if unknown and (len(found) > 1 or data.currency or data.rates):
        shown = ", ".join(f"{name} {rows:,}" for name, rows in found[:10])
        raise ShopguideError(
            f"data.columns.currency {data.columns.currency}",
            f"money in several currencies, and no rate for {', '.join(unknown)} (rows: {shown})",
            "Set data.currency, and data.rates for every other",
        )
    cases = " ".join(f"WHEN {quote(name)} THEN {rate!r}" for name, rate in rates.items())
    if cases:
        connection.execute(
            f"UPDATE typed SET _value = _value * CASE _currency {cases} ELSE 1.0 END"
        )
