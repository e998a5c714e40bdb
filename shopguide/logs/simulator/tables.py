"""What the shop itself would log: impressions, events, users, items. No truth is in it."""

from datetime import UTC, datetime, time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shopguide.logs.simulator.funnel import CART_HOURS, CLICK_HOURS, Drawn
from shopguide.logs.simulator.latent import Items, Users
from shopguide.logs.simulator.lists import Lists
from shopguide.spec.simulator import Simulator

Array = NDArray[np.float64]
Index = NDArray[np.int64]

TIME = pa.timestamp("us", tz="UTC")

_BRANDS = 30
_DAY = 86_400_000_000  # microseconds
_HOUR = 3_600_000_000


def midnight(parameters: Simulator, day: int = 0) -> int:
    """Return the microseconds since 1970 at which a day of the shop begins."""
    start = datetime.combine(parameters.start, time(), UTC)
    return int(start.timestamp()) * 1_000_000 + day * _DAY


def impressions(parameters: Simulator, lists: Lists) -> pa.Table:
    """Return the impressions as the canonical log has them, request by request, as shown."""
    requests, length = lists.item.shape
    return pa.table(
        {
            "request_id": _ids("r", np.repeat(np.arange(requests), length), requests),
            "user_id": _ids("u", np.repeat(lists.user, length), parameters.users),
            "item_id": _ids("i", lists.item.ravel(), parameters.items),
            "shown_at": _times(parameters, np.repeat(lists.day, length)),
            "position": np.tile(np.arange(1, length + 1, dtype=np.int32), requests),
            "propensity": lists.propensity.ravel(),
            "sample_weight": np.ones(requests * length),
        }
    )


def events(parameters: Simulator, lists: Lists, drawn: Drawn) -> pa.Table:
    """Return every event of the funnel, however late; each names its request."""
    shown = impressions(parameters, lists).drop_columns(["position", "propensity", "sample_weight"])
    parts = []
    for kind, happened, hours in (
        ("click", drawn.click, CLICK_HOURS),
        ("cart", drawn.cart, CART_HOURS),
        ("purchase", drawn.purchase, drawn.delay),
    ):
        rows = np.flatnonzero(happened)
        part = shown.take(rows)
        later = np.broadcast_to(hours, happened.shape).ravel()[rows]
        at = part.column("shown_at").cast(pa.int64()).to_numpy() + _whole(later * _HOUR)
        paid = kind == "purchase"
        value = pa.array(drawn.money.ravel()[rows], mask=np.full(len(rows), not paid))
        key = pc.binary_join_element_wise(
            kind, part.column("request_id"), part.column("item_id"), ":"
        )
        parts.append(
            pa.table(
                {
                    "event_id": key,
                    "request_id": part.column("request_id"),
                    "user_id": part.column("user_id"),
                    "item_id": part.column("item_id"),
                    "kind": pa.array([kind]).take(np.zeros(len(rows), dtype=np.int64)),
                    "at": pa.array(at, pa.int64()).cast(TIME),
                    "value": value,
                    "currency": pa.array([parameters.currency if paid else None], pa.string()).take(
                        np.zeros(len(rows), dtype=np.int64)
                    ),
                    "basket_id": part.column("request_id"),
                }
            )
        )
    return pa.concat_tables(parts)


def users(parameters: Simulator, people: Users) -> pa.Table:
    """Return the users: `segment` is the category that the user likes best."""
    return pa.table(
        {
            "user_id": _ids("u", np.arange(parameters.users), parameters.users),
            "segment": _ids("c", people.segment, parameters.categories),
        }
    )


def items(parameters: Simulator, goods: Items) -> pa.Table:
    """Return the items: category, a brand that means nothing, and the list price."""
    number = np.arange(parameters.items)
    return pa.table(
        {
            "item_id": _ids("i", number, parameters.items),
            "category": _ids("c", goods.category, parameters.categories),
            "brand": _ids("b", number % _BRANDS, _BRANDS),
            "price": goods.price,
        }
    )


def _ids(letter: str, number: Index, among: int) -> pa.Array:
    """Return ids of one width, such as i007, so that they sort as their numbers do."""
    width = len(str(among - 1))
    names = pa.array([f"{letter}{n:0{width}d}" for n in range(among)])
    return names.take(pa.array(number))


def _times(parameters: Simulator, day: Array) -> pa.Array:
    at = midnight(parameters) + _whole(day * _DAY)
    return pa.array(at, pa.int64()).cast(TIME)


def _whole(microseconds: Array) -> Index:
    return np.floor(microseconds).astype(np.int64)
