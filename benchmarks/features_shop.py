"""A log of any number of events drawn by a hash of their number, and its catalogue of features.

python benchmarks/features_shop.py FOLDER EVENTS
"""

import json
import sys
from pathlib import Path

import duckdb

from shopguide.spec import Spec, check_text

SPEC = """
name: bench
home: HOME
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view, click: click}
attribution: {match: request, window_hours: 24}
split:
  train: {start: 2024-01-15, end: 2024-02-13}
  valid: {start: 2024-02-13, end: 2024-02-20}
  test: {start: 2024-02-20, end: 2024-03-01}
tasks:
  click: {kind: binary, event: click}
features:
  views:
    user:
      keys: [user_id]
      kind: click
      measures:
        items: {count_distinct: item_id, windows: [7, 28]}
        spend: {sum: value, windows: [1, 7, 28]}
        quantity: {sum: quantity, windows: [7]}
        last: {last: at}
        recent: {sequence: item_id, length: 20}
      ratios: {price_7: {of: spend_7, per: quantity_7}}
    user_category:
      keys: [user_id, category]
      kind: click
      measures:
        spend: {sum: value, windows: [7, 28]}
        last: {last: at}
    user_item:
      keys: [user_id, item_id]
      kind: click
      measures: {spend: {sum: value, windows: [28]}, last: {last: at}}
    item:
      keys: [item_id]
      kind: click
      measures:
        users: {count_distinct: user_id, windows: [7, 28]}
        spend: {sum: value, windows: [1, 7]}
        quantity: {sum: quantity, windows: [7]}
      ratios: {price_7: {of: spend_7, per: quantity_7}}
    category:
      keys: [category]
      kind: click
      measures:
        users: {count_distinct: user_id, windows: [7]}
        spend: {sum: value, windows: [7, 28]}
  user_attributes: {town: categorical}
  item_attributes: {category: categorical, price: numeric}
objective: {goals: {ctr: {task: click, weight: 1.0}}}
"""

EVENTS_A_USER, SHOWN_AN_EVENT, ITEMS, DAYS = 100, 0.1, 20_000, 60


def spec_of(folder: Path) -> Spec:
    """Return the spec with a home below a folder."""
    return check_text(SPEC.replace("HOME", str(folder / "home")), where="bench")


def write(folder: Path, events: int) -> None:
    """Write a canonical log of `events` clicks and a tenth as many impressions.

    Users and items are drawn with a skew (square and cube of a uniform); times are uniform.
    """
    folder.mkdir(parents=True)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET memory_limit = '2GB'")
    connection.execute(f"SET temp_directory = '{folder / 'spill'}'")
    users = max(events // EVENTS_A_USER, 10)
    draw = (
        f"'u' || floor({users} * pow(u(n, 1), 2))::BIGINT AS user_id, "
        f"'i' || floor({ITEMS} * pow(u(n, 2), 3))::BIGINT AS item_id, "
        f"TIMESTAMPTZ '2024-01-01' + to_microseconds((u(n, 3) * {DAYS} * 86400e6)::BIGINT)"
    )
    connection.execute("CREATE MACRO u(n, s) AS (hash(n * 16 + s) % 1000000007) / 1000000007.0")
    tables = {
        "events": f"SELECT 'e' || n AS event_id, NULL::VARCHAR AS request_id, {draw} AS at, "
        "'click' AS kind, floor(u(n, 4) * 10000) / 100 AS value, 'EUR' AS currency, "
        f"floor(1 + u(n, 5) * 3) AS quantity FROM range({events}) AS t(n)",
        "impressions": f"SELECT 'r' || (n // 10) AS request_id, {draw} AS shown_at, "
        f"1.0::DOUBLE AS sample_weight FROM range({events}, "
        f"{events + int(events * SHOWN_AN_EVENT)}) AS t(n)",
        "users": f"SELECT 'u' || n AS user_id, 't' || n % 30 AS town FROM range({users}) AS t(n)",
        "items": "SELECT 'i' || n AS item_id, 'c' || n % 50 AS category, "
        f"(n % 997)::DOUBLE AS price FROM range({ITEMS}) AS t(n)",
    }
    # an item is shown once a request; some of the events are outcomes of impressions
    tables["impressions"] = (
        f"SELECT * FROM ({tables['impressions']}) "
        "QUALIFY row_number() OVER (PARTITION BY request_id, item_id ORDER BY shown_at) = 1"
    )
    for name, query in tables.items():
        target = folder / f"{name}.parquet"
        connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    impressions = folder / "impressions.parquet"
    connection.execute(
        f"CREATE TABLE labelled AS FROM read_parquet('{folder / 'events.parquet'}') UNION ALL "
        "BY NAME SELECT 'c' || request_id || item_id AS event_id, request_id, user_id, item_id, "
        "shown_at + INTERVAL 1 MINUTE AS at, 'click' AS kind, 1.0 AS value, 'EUR' AS currency, "
        f"1.0 AS quantity FROM read_parquet('{impressions}') "
        "WHERE hash(request_id, item_id) % 9 = 0"
    )
    target = folder / "events.parquet"
    connection.execute(f"COPY labelled TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    document = {
        "format": 1,
        "start": "2024-01-01T00:00:00+00:00",
        "end": "2024-03-01T00:01:00+00:00",
    }
    (folder / "log.json").write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
