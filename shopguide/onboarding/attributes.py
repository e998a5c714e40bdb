"""What is left of the columns: attributes of items and users, and the context of impressions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import duckdb

from shopguide.logs._duckdb import identifier
from shopguide.onboarding import names
from shopguide.onboarding.guess import Guess
from shopguide.onboarding.mapping import Mapping
from shopguide.onboarding.profile import Column
from shopguide.onboarding.tables import Table, find_key

_STEADY = 1.1  # values an item has on average, at most, for an attribute of it
_FIXED = 1.0001  # the same where every impression was logged, and a column may describe that
_ROWS = 2_000_000  # rows that suffice to see what is steady
_MANY = 10_000  # different texts of a categorical input
_MOST = 120  # columns of the context
_LATER = ("conver", "sale", "purchase", "click", "order", "attribut", "delay", "refund", "cpo")
"""In names of what is known only after the impression."""


@dataclass(slots=True)
class Attributes:
    """Sections of the spec that name attributes, and the kinds of their inputs."""

    data: dict[str, object] = field(default_factory=dict)
    kinds: dict[str, dict[str, str]] = field(
        default_factory=lambda: {"user_attributes": {}, "item_attributes": {}, "context": {}}
    )
    guesses: list[Guess] = field(default_factory=list)


def find_attributes(
    connection: duckdb.DuckDBPyConnection,
    events: Table,
    others: Sequence[Table],
    found: Mapping,
    *,
    logged: bool,
) -> Attributes:
    """Say what the columns that have no meaning yet are.

    Args:
        connection: holds the tables.
        events: what happened.
        others: tables that may be of users or of items.
        found: the columns of the events.
        logged: every impression was logged, so that a column may describe it.
    """
    result = Attributes()
    for table in others:
        _file(connection, table, found, result)
    left = [c for c in events.columns.values() if c.name not in found.taken and c.filled > 0]
    for section, owner in (("item_attributes", "item_id"), ("user_attributes", "user_id")):
        if owner in found.columns:
            most = _FIXED if logged else _STEADY
            key, category = found.columns[owner], found.category
            _steady(connection, events, left, key, section, result, most, category)
    if logged:
        _context(left, result)
    if left:
        shown = _shown([column.name for column in left])
        result.guesses.append(Guess("data", f"unused: {shown}", "no use of it was seen"))
    return result


def _file(
    connection: duckdb.DuckDBPyConnection, table: Table, found: Mapping, result: Attributes
) -> None:
    for section, owner in (("items", "item_id"), ("users", "user_id")):
        called = found.columns.get(owner)
        key = find_key(connection, table, owner, called) if called else None
        if key is None or section in result.data:
            continue
        attributes: dict[str, str] = {}
        kinds = result.kinds[f"{section[:-1]}_attributes"]
        for column in table.columns.values():
            if column.name != key and _worth(column):
                name = _name(column, kinds)
                attributes[name] = column.name
                kinds[name] = _kind(column)
        if attributes:
            result.data[section] = table.section() | {"key": key, "attributes": attributes}
            why = f"a row for each {key}, which is the events' {called}"
            result.guesses.append(Guess(f"data.{section}", table.files[0].path, why))
            return
    files = ", ".join(file.path for file in table.files)
    why = "neither events nor one row for each item or user: left aside"
    result.guesses.append(Guess("data", files, why, sure=False))


def _steady(
    connection: duckdb.DuckDBPyConnection,
    events: Table,
    left: list[Column],
    owner: str,
    section: str,
    result: Attributes,
    most: float,
    category: str | None,
) -> None:
    """Take the columns that nearly always say the same of the same item or user."""
    tried = [c for c in left if _worth(c)]
    if not tried:
        return
    counts = ", ".join(
        f"count(DISTINCT {identifier(c.name)}) AS {identifier(c.name)}" for c in tried
    )
    means = ", ".join(f"avg(nullif({identifier(c.name)}, 0))" for c in tried)
    share = max(events.rows // _ROWS, 1)  # of the owners, where there are many rows
    measured = connection.execute(
        f"SELECT avg(_rows), {means} FROM (SELECT count(*) AS _rows, {counts} FROM {events.name} "
        f"WHERE hash({identifier(owner)}) % {share} = 0 GROUP BY {identifier(owner)})"
    ).fetchone()
    assert measured is not None
    if measured[0] is None or measured[0] < 1.5:
        return  # seen once each, everything is steady
    named: dict[str, str] = {}
    for column, mean in zip(tried, measured[1:], strict=True):
        steady = mean is not None and mean <= most
        placed = column.name == category and section == "item_attributes"
        called = names.field_of(column.name) == "category"
        if not steady and not called:
            continue
        if section == "user_attributes" and called:
            continue
        name = "category" if placed else _name(column, result.kinds[section])
        named[name] = column.name
        result.kinds[section][name] = "categorical" if placed else _kind(column)
        left.remove(column)
        if placed:
            why = "no names; whole numbers, the third of the ids, the same for each item"
            result.guesses.append(Guess(f"data.{section}.category", column.name, why, sure=False))
    if named:
        result.data[section] = named
        why = f"nearly always the same for each {owner}"
        result.guesses.append(Guess(f"data.{section}", _shown(named), why))


def _context(left: list[Column], result: Attributes) -> None:
    context: dict[str, str] = {}
    for column in list(left):
        later = any(part in column.name.lower() for part in _LATER)
        if later:
            why = "its name sounds as if it were known only afterwards: no input"
            result.guesses.append(Guess("data.context", column.name, why, sure=False))
            continue
        if not _worth(column) or column.time_format() or len(context) >= _MOST:
            continue
        name = _name(column, result.kinds["context"])
        context[name] = column.name
        result.kinds["context"][name] = _kind(column)
        left.remove(column)
    if context:
        result.data["context"] = context
        why = "stand in the row of the impression; see that each is known before it is shown"
        result.guesses.append(Guess("data.context", _shown(context), why, sure=False))


def _shown(columns: Iterable[str]) -> str:
    few = list(columns)
    return ", ".join(few[:6]) + (f" and {len(few) - 6} more" if len(few) > 6 else "")


def _worth(column: Column) -> bool:
    """Say whether a model could learn from a column: it varies, and is no text of its own a row."""
    if column.filled < 0.01 or column.distinct < 2 or _is_row_number(column):
        return False
    return _kind(column) == "numeric" or column.distinct <= _MANY


def _is_row_number(column: Column) -> bool:
    """Say whether a column is the index that a data frame writes, which has no name."""
    return column.name == "column_1" and column.whole > 0.999 and column.least in (0, 1)


def _kind(column: Column) -> str:
    coded = column.whole > 0.99 and column.name.lower().endswith(("id", "code", "category"))
    return "numeric" if column.numbers > 0.999 and not coded else "categorical"


def _name(column: Column, taken: dict[str, str]) -> str:
    name = names.plain(column.name)
    if names.field_of(column.name) == "category" and "category" not in taken:
        name = "category"
    while name in taken or name in ("user_id", "item_id", "position", "propensity", "shown_at"):
        name = f"{name[:57]}_x"
    return name
