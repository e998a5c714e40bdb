"""What the simulator knows of users and items, and a shop would not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.spec.simulator import Simulator

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_ACTIVITY_SHAPE = 2.0  # of a gamma distribution: some users come often, most seldom
_WITHIN_CATEGORY = 0.5  # spread of an item's character around its category's


@dataclass(frozen=True, slots=True)
class Users:
    """U users.

    Args:
        activity: requests relative to the average user's [U], mean 1 over the population.
        click_taste: u [U, D], standard normal.
        buy_taste: w [U, D], standard normal, its correlation with u is `agreement`.
        budget: what a purchase costs the user relative to its price [U], mean 1.
        segment: category whose centre u likes best [U]: what the shop knows of the user's taste.
    """

    activity: Array
    click_taste: Array
    buy_taste: Array
    budget: Array
    segment: Index


@dataclass(frozen=True, slots=True)
class Items:
    """I items in C categories.

    Args:
        category: [I], each category has an item.
        character: v [I, D], of length 1.
        price: in the shop's currency [I].
        expensive: x, log price standardised by its true mean and spread [I].
        popularity: of the item in logits [I]: popularity · p.
        trend: change of its appeal over all days in logits [I]: drift · z.
    """

    category: Index
    character: Array
    price: Array
    expensive: Array
    popularity: Array
    trend: Array


def draw_items(parameters: Simulator, stream: np.random.Generator) -> tuple[Items, Array]:
    """Draw the items, and return them with the categories' centres [C, D]."""
    number, width = parameters.items, parameters.tastes
    centres = _unit(stream.normal(size=(parameters.categories, width)))
    category = stream.permutation(np.arange(number) % parameters.categories)
    spread = _WITHIN_CATEGORY * stream.normal(size=(number, width)) / np.sqrt(width)
    expensive = stream.normal(size=number)
    items = Items(
        category=category,
        character=_unit(centres[category] + spread),
        price=parameters.price * np.exp(parameters.price_spread * expensive),
        expensive=expensive,
        popularity=parameters.popularity * stream.normal(size=number),
        trend=parameters.drift * stream.normal(size=number),
    )
    return items, centres


def draw_users(parameters: Simulator, centres: Array, stream: np.random.Generator) -> Users:
    """Draw the users.

    Args:
        parameters: of the shop.
        centres: of the categories [C, D].
        stream: of random numbers.
    """
    shape = (parameters.users, parameters.tastes)
    click, own = stream.normal(size=shape), stream.normal(size=shape)
    agreement, spread = parameters.agreement, parameters.budget_spread
    return Users(
        activity=stream.gamma(_ACTIVITY_SHAPE, 1 / _ACTIVITY_SHAPE, parameters.users),
        click_taste=click,
        buy_taste=agreement * click + np.sqrt(1 - agreement**2) * own,
        budget=stream.lognormal(-(spread**2) / 2, spread, parameters.users),
        segment=np.argmax(click @ centres.T, axis=1),
    )


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Array = vectors / np.where(length > 0, length, 1.0)
    return unit
