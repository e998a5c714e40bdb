"""The canonical log: its tables and their columns."""

from dataclasses import dataclass

FORMAT = 1
"""Version of the canonical log; a reader refuses another."""

UTC = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its DuckDB type, and whether it may be null or be left out."""

    name: str
    type: str
    nullable: bool = False
    optional: bool = False


TABLES: dict[str, tuple[Column, ...]] = {
    "impressions": (
        Column("request_id", "VARCHAR"),
        Column("user_id", "VARCHAR"),
        Column("item_id", "VARCHAR"),
        Column("shown_at", UTC),
        Column("position", "INTEGER", nullable=True, optional=True),
        Column("propensity", "DOUBLE", nullable=True, optional=True),
        Column("sample_weight", "DOUBLE"),
    ),
    "events": (
        Column("event_id", "VARCHAR", nullable=True),
        Column("request_id", "VARCHAR", nullable=True),
        Column("user_id", "VARCHAR"),
        Column("item_id", "VARCHAR"),
        Column("kind", "VARCHAR"),
        Column("at", UTC),
        Column("value", "DOUBLE", nullable=True),
        Column("currency", "VARCHAR", nullable=True),
        Column("basket_id", "VARCHAR", nullable=True, optional=True),
        Column("place_id", "VARCHAR", nullable=True, optional=True),
        Column("quantity", "DOUBLE", nullable=True, optional=True),
        Column("discount", "DOUBLE", nullable=True, optional=True),
        Column("voided_at", UTC, nullable=True, optional=True),
    ),
    "users": (Column("user_id", "VARCHAR"),),
    "items": (Column("item_id", "VARCHAR"),),
    "promotions": (
        Column("item_id", "VARCHAR"),
        Column("place_id", "VARCHAR"),
        Column("at", UTC),
        Column("displayed", "DOUBLE"),
        Column("mailed", "DOUBLE"),
    ),
    "exposures": (
        Column("item_id", "VARCHAR"),
        Column("place_id", "VARCHAR"),
        Column("at", UTC),
        Column("impressions", "DOUBLE"),
        Column("purchases", "DOUBLE"),
    ),
}
"""Tables of the log. Impressions hold the context columns too; users and items, attributes."""

REQUIRED_TABLES = ("impressions", "events", "users", "items")
