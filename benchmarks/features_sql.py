"""The features of the benchmark's catalogue at each impression, written by hand for DuckDB.

Each view: the events by key and day, and the days on which somebody asks, in one union; range
windows over it; the answers joined to the impressions by key and day. Nothing of shopguide.
"""

import sys
from pathlib import Path

import duckdb

_NAMES = {"value": "spend"}
_DAY = "epoch_us({}) // 86400000000"


def _span(first: str, last: int = 1) -> str:
    return f"RANGE BETWEEN {first} PRECEDING AND {last} PRECEDING"


def _view(name: str, keys: list[str], sums: dict[str, list[int]], *, last: bool) -> str:
    """Return the query of a view's sums and its recency by key and day."""
    key = ", ".join(keys)
    over = f"OVER (PARTITION BY {key} ORDER BY day "
    known = f"count(n) {over}{_span('UNBOUNDED')})"
    columns = [
        f"CASE WHEN {known} > 0 THEN coalesce(sum({column}) {over}{_span(str(window))}), 0) "
        f"/ 10000.0 END AS {name}_{_NAMES.get(column, column)}_{window}"
        for column, windows in sums.items()
        for window in windows
    ]
    if last:
        columns.append(f"max(t) {over}{_span('UNBOUNDED')}) AS {name}_last")
    totals = ", ".join(f"sum(round({c} * 10000)::BIGINT)::BIGINT AS {c}" for c in sums)
    return f"""
        SELECT {key}, day, {", ".join(columns)} FROM (
            SELECT {key}, day, count(*) AS n, date_trunc('second', max(t)) AS t, {totals}
            FROM h GROUP BY {key}, day
            UNION ALL BY NAME SELECT DISTINCT {key}, day, TRUE AS asked FROM q
        ) QUALIFY asked"""


def _distinct(name: str, column: str, keys: list[str], value: str, windows: list[int]) -> str:
    """Return the query of distinct values in windows: a count over the distinct days of each."""
    key = ", ".join(keys)
    counts = ", ".join(
        f"count(DISTINCT CASE WHEN h.day >= a.day - {window} THEN {value} END)::DOUBLE "
        f"AS {name}_{column}_{window}"
        for window in windows
    )
    on = " AND ".join(f"h.{k} = a.{k}" for k in keys)
    every = ", ".join(f"a.{k}" for k in keys)
    return f"""
        SELECT {every}, a.day, {counts}
        FROM (SELECT DISTINCT {key}, day FROM q) AS a
        JOIN (SELECT DISTINCT {key}, {value}, day FROM h) AS h
        ON {on} AND h.day < a.day AND h.day >= a.day - {max(windows)} GROUP BY ALL"""


_RECENT = """
    SELECT q.user_id, q.day, recent AS user_recent
    FROM (SELECT DISTINCT user_id, day FROM q) AS q ASOF JOIN (
        SELECT user_id, day, list(item_id) OVER (
            PARTITION BY user_id ORDER BY t, item_id ROWS BETWEEN 19 PRECEDING AND CURRENT ROW
        ) AS recent FROM h
        QUALIFY row_number() OVER (PARTITION BY user_id, day ORDER BY t DESC, item_id DESC) = 1
    ) AS s ON q.user_id = s.user_id AND q.day > s.day"""


def run(log: Path, out: Path) -> None:
    """Compute the features of every impression and write them."""
    connection = duckdb.connect()
    connection.execute(
        f"SET TimeZone = 'UTC'; SET memory_limit = '3GB'; SET temp_directory = '{out}.spill'; "
        "SET preserve_insertion_order = false"
    )
    connection.execute(
        'CREATE TEMP TABLE h AS SELECT e.* RENAME ("at" AS t), category, '
        f"{_DAY.format('e.at')} AS day "
        f"FROM '{log}/events.parquet' AS e JOIN '{log}/items.parquet' USING (item_id)"
    )
    connection.execute(
        f"CREATE TEMP TABLE q AS SELECT q.*, category, price, {_DAY.format('shown_at')} AS day "
        f"FROM '{log}/impressions.parquet' AS q LEFT JOIN '{log}/items.parquet' USING (item_id) "
        "WHERE shown_at >= '2024-01-15' AND shown_at < '2024-03-01'"
    )
    user, item, category = ["user_id"], ["item_id"], ["category"]
    parts = {
        "a": (user, _view("user", user, {"value": [1, 7, 28], "quantity": [7]}, last=True)),
        "b": (user, _distinct("user", "items", user, "item_id", [7, 28])),
        "c": (user, _RECENT),
        "d": (
            [*user, *category],
            _view("user_category", [*user, *category], {"value": [7, 28]}, last=True),
        ),
        "e": ([*user, *item], _view("user_item", [*user, *item], {"value": [28]}, last=True)),
        "f": (item, _view("item", item, {"value": [1, 7], "quantity": [7]}, last=False)),
        "g": (item, _distinct("item", "users", item, "user_id", [7, 28])),
        "h": (category, _view("category", category, {"value": [7, 28]}, last=False)),
        "i": (category, _distinct("category", "users", category, "user_id", [7])),
    }
    joins = ""
    for name, (keys, query) in parts.items():
        connection.execute(f"CREATE TEMP TABLE part_{name} AS {query}")
        joins += f" LEFT JOIN part_{name} USING ({', '.join([*keys, 'day'])})"
    # nothing in the window is 0 where something came before it, and unknown otherwise
    counts = {
        "user_items": ([7, 28], "user_spend_28"),
        "item_users": ([7, 28], "item_spend_7"),
        "category_users": ([7], "category_spend_28"),
    }
    filled = ", ".join(
        f"CASE WHEN {known} IS NOT NULL THEN coalesce({name}_{window}, 0) END AS {name}_{window}"
        for name, (windows, known) in counts.items()
        for window in windows
    )
    connection.execute(
        f"COPY (SELECT * REPLACE ({filled}), "
        "user_spend_7 / nullif(user_quantity_7, 0) AS user_price_7, "
        "item_spend_7 / nullif(item_quantity_7, 0) AS item_price_7 "
        f"FROM q LEFT JOIN '{log}/users.parquet' USING (user_id) {joins}) "
        f"TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
    )


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
