"""Which lists the shop showed, and with what probability each item stood where it stood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.logs.simulator.latent import Items, Users
from shopguide.spec.simulator import Simulator

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lists:
    """R requests in order of time, each with a list of L items in the order shown.

    Args:
        user: [R].
        day: time of the request in days since the start [R].
        item: [R, L]; column k is position k + 1.
        favourite: rank that the shop's own score gives each item [R, L], 1 first.
        propensity: probability that the item stands at this position, given the L items [R, L].
    """

    user: Index
    day: Array
    item: Index
    favourite: Index
    propensity: Array


def draw_lists(
    parameters: Simulator, users: Users, items: Items, stream: np.random.Generator
) -> Lists:
    """Draw requests and lists.

    A list's items are drawn one after the other, without replacement, with weights e^popularity.
    With probability 1 − ε they are ranked by today's appeal to the average user, otherwise in a
    random order, so that of L items

        P(item at position k) = (1 − ε) · [its rank is k] + ε / L
    """
    visits = stream.poisson(parameters.requests_per_user * users.activity)
    user = np.repeat(np.arange(parameters.users), visits)
    day = stream.uniform(0, parameters.days, len(user))
    order = np.argsort(day, kind="stable")
    user, day = user[order], day[order]
    item = _candidates(items, len(user), parameters.list_length, stream)
    appeal = average_appeal(parameters, items, item, day[:, None])
    item = np.take_along_axis(item, np.argsort(-appeal, axis=1, kind="stable"), axis=1)
    favourite = np.broadcast_to(np.arange(1, parameters.list_length + 1), item.shape)
    shuffled = stream.random(len(user)) < parameters.exploration
    shown = np.array(favourite) - 1
    shown[shuffled] = stream.permuted(shown[shuffled], axis=1)
    item, favourite = (np.take_along_axis(a, shown, axis=1) for a in (item, favourite))
    return Lists(user, day, item, favourite, _propensity(parameters, favourite))


def average_appeal(parameters: Simulator, items: Items, item: Index, day: Array) -> Array:
    """Return the logit of a click, above the shop's average, of a user with average tastes.

    Args:
        parameters: of the shop.
        items: of the shop.
        item: index of each item, of any shape.
        day: days since the start, of a shape that broadcasts with it.
    """
    over = day / parameters.days
    lasting = items.popularity - parameters.aversion * items.expensive
    appeal: Array = lasting[item] + over * items.trend[item]
    return appeal


def _propensity(parameters: Simulator, favourite: Index) -> Array:
    position = np.arange(1, parameters.list_length + 1)
    epsilon = parameters.exploration
    chance: Array = (1 - epsilon) * (favourite == position) + epsilon / parameters.list_length
    return chance


def _candidates(items: Items, requests: int, length: int, stream: np.random.Generator) -> Index:
    """Draw lists without replacement: what stands further left in its list is drawn again."""
    if length * 4 > len(items.price):  # drawing again would take long
        return _largest(items, requests, length, stream)
    steps = np.cumsum(np.exp(items.popularity - items.popularity.max()))
    edges = steps / steps[-1]
    found = np.searchsorted(edges, stream.random((requests, length)), side="right")
    while True:
        again = _repeated(found)
        number = int(again.sum())
        if not number:
            return found
        found[again] = np.searchsorted(edges, stream.random(number), side="right")


def _largest(items: Items, requests: int, length: int, stream: np.random.Generator) -> Index:
    """Draw the same law at a cost of R·I: the L largest of Gumbel numbers, in their order.

    Source: Yellott, "The Relationship between Luce's Choice Axiom, Thurstone's Theory …", Journal
    of Mathematical Psychology 15, 1977.
    """
    found = np.empty((requests, length), dtype=np.int64)
    block = max(1, 4_000_000 // len(items.price))
    for at in range(0, requests, block):
        rows = min(block, requests - at)
        keys = items.popularity + stream.gumbel(size=(rows, len(items.price)))
        found[at : at + rows] = np.argsort(-keys, axis=1)[:, :length]
    return found


def _repeated(found: Index) -> NDArray[np.bool_]:
    """Return whether each entry stands further left in its row already."""
    order = np.argsort(found, axis=1, kind="stable")
    ascending = np.take_along_axis(found, order, axis=1)
    same = np.zeros(found.shape, dtype=np.bool_)
    same[:, 1:] = ascending[:, 1:] == ascending[:, :-1]
    repeated = np.empty_like(same)
    np.put_along_axis(repeated, order, same, axis=1)
    return repeated
