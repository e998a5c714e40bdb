"""One small shop, exported in the shapes that shops and public logs have."""

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS, USERS, ITEMS = 30, 60, 30


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    user: int
    session: str
    item: int
    kind: str
    price: float


def events(seed: int = 3) -> list[Event]:
    """Users look at five items a visit, and cart and buy what they like more often."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(0, 1, (USERS, 5))
    found = []
    for user in range(USERS):
        for visit in range(12):
            at = START + timedelta(seconds=float(rng.uniform(0, DAYS * 86_400 - 3600)))
            for item in rng.choice(ITEMS, 5, replace=False):
                at += timedelta(seconds=int(rng.integers(5, 60)))
                likes = 1 / (1 + np.exp(1.3 - taste[user, item % 5]))
                kinds = ["view"]
                if rng.random() < likes:
                    kinds.append("cart")
                    if rng.random() < 0.6:
                        kinds.append("purchase")
                price = 5 + float(item)
                found += [
                    Event(
                        at + timedelta(seconds=n), user, f"s{user}-{visit}", int(item), kind, price
                    )
                    for n, kind in enumerate(kinds)
                ]
    return sorted(found, key=lambda event: (event.at, event.user, event.item))


Row = Sequence[object]


def write(path: Path, rows: Iterable[Row], delimiter: str = ",", encoding: str = "utf-8") -> str:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return str(path)


def user_behaviour(folder: Path) -> list[str]:
    """Headerless user,item,category,type,timestamp with pv, cart, fav and buy."""
    names = {"view": "pv", "cart": "cart", "purchase": "buy"}
    rows = [
        (1000 + e.user, 700_000 + e.item, 4_000 + e.item % 5, names[e.kind], int(e.at.timestamp()))
        for e in events()
    ]
    return [write(folder / "UserBehavior.csv", rows)]


def wide_clicks(folder: Path) -> list[str]:
    """A click a row, with sale, amount and delay; -1 where nothing is known; tabs."""
    header = [
        "Sale", "SalesAmountInEuro", "time_delay_for_conversion", "click_timestamp",
        "product_price", "device_type", "product_category", "product_id", "user_id",
    ]  # fmt: skip
    rows: list[Row] = [header]
    bought = {(e.session, e.item): e for e in events() if e.kind == "purchase"}
    for e in (e for e in events() if e.kind == "view"):
        sale = bought.get((e.session, e.item))
        paid = (1, e.price, int((sale.at - e.at).total_seconds())) if sale else (0, -1, -1)
        device = "phone" if e.user % 2 else "desk"
        stamp = int(e.at.timestamp())
        rows.append((*paid, stamp, e.price, device, e.item % 5, f"p{e.item:02}", f"u{e.user}"))
    return [write(folder / "clicks.tsv", rows, "\t")]


def experiment(folder: Path) -> list[str]:
    """Customers without ids and times, a treatment each, and what they did."""
    rng = np.random.default_rng(5)
    rows: list[Row] = [["recency", "history", "channel", "segment", "visit", "conversion", "spend"]]
    for _ in range(4000):
        arm = int(rng.integers(3))
        visit = int(rng.random() < 0.15 + 0.1 * arm)
        sale = int(visit and rng.random() < 0.4)
        channel = ("Web", "Phone")[int(rng.integers(2))]
        spend = round(float(rng.lognormal(3, 0.5)), 2) if sale else 0
        name = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")[arm]
        history = round(float(rng.lognormal(5, 1)), 2)
        rows.append((int(rng.integers(1, 13)), history, channel, name, visit, sale, spend))
    return [write(folder / "experiment.csv", rows)]


def logged_lists(folder: Path) -> list[str]:
    """Impressions with request and position, clicks and orders that name their request."""
    names = {"view": "impression", "cart": "click", "purchase": "order"}
    rows = []
    places: dict[str, int] = {}
    for e in events():
        if e.kind == "view":
            places[e.session] = places.get(e.session, 0) + 1
        rows.append(
            {"ts": e.at.isoformat(), "customer": f"c{e.user}", "sku": f"{e.item:04}",
             "action": names[e.kind], "request_id": e.session, "position": places[e.session],
             "amount": e.price if e.kind == "purchase" else None}
        )  # fmt: skip
    path = folder / "lists.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return [str(path)]


def orders_alone(folder: Path) -> list[str]:
    """Invoice lines with price and quantity, money with a comma, days before months."""
    head = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "Customer ID"]
    rows: list[Row] = [head]
    for number, e in enumerate(e for e in events() if e.kind == "purchase"):
        paid, day = f"{e.price:.2f}".replace(".", ","), e.at.strftime("%d.%m.%Y %H:%M")
        rows.append((number, f"{e.item:05}", 1 + number % 3, day, paid, 17_000 + e.user))
    return [write(folder / "orders.csv", rows, ";", "cp1252")]


def several_files(folder: Path) -> list[str]:
    """Two days of events in Chinese, and tables of items and users."""
    head = ["时间", "event_time", "user_id", "item_id", "event_type"]
    rows = [
        ("早", e.at.strftime("%Y-%m-%d %H:%M:%S"), f"{e.user:03}", e.item, e.kind) for e in events()
    ]
    half = len(rows) // 2
    return [
        write(folder / "events_1.csv", [head, *rows[:half]], encoding="gbk"),
        write(folder / "events_2.csv", [head, *rows[half:]], encoding="gbk"),
        write(folder / "items.csv", [("item_id", "brand", "weight"),
                                     *((i, f"b{i % 4}", i / 2) for i in range(ITEMS))]),
        write(folder / "users.csv", [("user_id", "town"),
                                     *((f"{u:03}", f"t{u % 3}") for u in range(USERS))]),
    ]  # fmt: skip


SHAPES: dict[str, Callable[[Path], list[str]]] = {
    shape.__name__: shape
    for shape in (
        user_behaviour,
        wide_clicks,
        experiment,
        logged_lists,
        orders_alone,
        several_files,
    )
}
