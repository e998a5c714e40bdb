"""Read the files, put those that belong together into one table, and say what each is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from shopguide.errors import ShopguideError
from shopguide.logs._duckdb import count, identifier
from shopguide.logs.event_reader import read_export
from shopguide.onboarding.layout import FileLayout
from shopguide.onboarding.names import field_of
from shopguide.onboarding.profile import Column, profile
from shopguide.spec.event_log import Layout


@dataclass(frozen=True, slots=True)
class Table:
    """Files with the same columns.

    Args:
        name: of the table in DuckDB.
        files: how they are written; alike.
        rows: of all files, unusable ones included.
        columns: what they hold, in their order.
    """

    name: str
    files: Sequence[FileLayout]
    rows: int
    columns: Mapping[str, Column]

    def section(self) -> dict[str, object]:
        """Return the fields of a spec that say where the files are and how they are written."""
        paths = [file.path for file in self.files]
        return {"path": paths[0] if len(paths) == 1 else paths, **self.files[0].section()}


def read_tables(
    connection: duckdb.DuckDBPyConnection, layouts: Sequence[FileLayout]
) -> list[Table]:
    """Read every file; files whose columns have the same names are one table.

    Raises:
        ShopguideError: a file is broken, or files of one table are written in different ways.
    """
    groups: dict[tuple[str, ...], list[tuple[FileLayout, str, int]]] = {}
    for number, layout in enumerate(layouts):
        table = f"export_{number}"
        section = Layout.model_validate({"path": layout.path, **layout.section()})
        rows = read_export(connection, section, [Path(layout.path)], table=table)
        names = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
        groups.setdefault(tuple(sorted(names)), []).append((layout, table, rows))
    return [_merged(connection, members) for members in groups.values()]


def _merged(
    connection: duckdb.DuckDBPyConnection, members: Sequence[tuple[FileLayout, str, int]]
) -> Table:
    (first, table, _), *others = members
    for number, (layout, other, _) in enumerate(others, 1):
        if layout.section() != first.section():
            raise ShopguideError(
                layout.path,
                f"has the columns of {first.path}, and is written in another way ({layout.why})",
                "Export both alike",
            )
        connection.execute(
            f"INSERT INTO {table} BY NAME SELECT * REPLACE ({number} AS _file_number) FROM {other}"
        )
        connection.execute(f"DROP TABLE {other}")
    columns = {column.name: column for column in profile(connection, table)}
    files = [layout for layout, _, _ in members]
    return Table(table, files, sum(rows for _, _, rows in members), columns)


def find_events(tables: Sequence[Table]) -> Table:
    """Return the table of what happened: it has a time, and the most rows."""

    def merit(table: Table) -> tuple[bool, bool, int]:
        fields = {field_of(name) for name in table.columns}
        timed = "at" in fields or any(c.time_format() for c in table.columns.values())
        return timed, {"user_id", "item_id"} <= fields, table.rows

    return max(tables, key=merit)


def find_key(
    connection: duckdb.DuckDBPyConnection, table: Table, field: str, called: str | None
) -> str | None:
    """Return the column of a table of users or items that is their id, None if it has none.

    Args:
        connection: holds the table.
        table: another than that of the events.
        field: user_id or item_id.
        called: what the events call it.
    """
    for name, column in table.columns.items():
        if name != called and field_of(name) != field:
            continue
        distinct = count(connection, f"SELECT count(DISTINCT {identifier(name)}) FROM {table.name}")
        if column.filled > 0.99 and distinct >= 0.99 * table.rows:
            return name
    return None
