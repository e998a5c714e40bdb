"""Click → cart → purchase → money: expectations in closed form, and outcomes drawn from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shopguide.logs.simulator.latent import Items, Users
from shopguide.logs.simulator.lists import Index, average_appeal
from shopguide.spec.simulator import Simulator

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

Outcome = Literal["click", "cart", "purchase", "money"]

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""What an impression can bring, in the order of the funnel."""

CLICK_HOURS, CART_HOURS = 10 / 3600, 60 / 3600
"""Hours from the impression to its click and to its cart event."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What happened to each impression [R, L].

    Args:
        click: whether it was clicked.
        cart: whether it was put into the cart; only if clicked.
        purchase: whether it was bought; only if in the cart.
        money: what was paid; 0 without a purchase.
        delay: hours from the impression to the purchase; NaN without one.
    """

    click: Flags
    cart: Flags
    purchase: Flags
    money: Array
    delay: Array

    def of(self, outcome: Outcome) -> Array:
        """Return one outcome as numbers [R, L]."""
        chosen: Array = getattr(self, outcome).astype(np.float64)
        return chosen


def examination(parameters: Simulator, position: Index) -> Array:
    """Return e(k) = k^−position_bias, the chance that position k ≥ 1 is looked at."""
    return np.asarray(position, dtype=np.float64) ** -parameters.position_bias


def expectations(
    parameters: Simulator, users: Users, items: Items, user: Index, item: Index, day: Array
) -> dict[Outcome, Array]:
    """Return the expected outcomes of impressions that are examined.

    Over the entire space: P(click), P(click ∧ cart), P(click ∧ cart ∧ purchase) and E[money]. At
    position k all four are e(k) times this.

    Args:
        parameters: of the shop.
        users: of the shop.
        items: of the shop.
        user: index of each impression's user; the three broadcast to one shape.
        item: index of its item.
        day: its time in days since the start.
    """
    character = items.character[item]
    liked = np.einsum("...d,...d->...", users.click_taste[user], character)
    wanted = np.einsum("...d,...d->...", users.buy_taste[user], character)
    appeal = average_appeal(parameters, items, item, day)
    click = _sigmoid(_logit(parameters.click_rate) + parameters.taste * liked + appeal)
    cart = click * _sigmoid(_logit(parameters.cart_rate) + parameters.taste * wanted)
    bought = _sigmoid(_logit(parameters.purchase_rate) + parameters.taste * wanted / 2)
    purchase = cart * bought
    paid = items.price[item] * users.budget[user] * np.exp(parameters.amount_spread**2 / 2)
    return {"click": click, "cart": cart, "purchase": purchase, "money": purchase * paid}


def draw(
    parameters: Simulator,
    expected: Mapping[Outcome, Array],
    examined: Array,
    stream: np.random.Generator,
) -> Drawn:
    """Draw the outcomes of impressions.

    Args:
        parameters: of the shop.
        expected: expectations of examined impressions [R, L].
        examined: chance that each is examined, of a shape that broadcasts.
        stream: of random numbers.
    """
    luck = stream.random(expected["click"].shape)  # one number for all stages: they are nested
    click, cart, purchase = (
        luck < examined * expected[stage] for stage in ("click", "cart", "purchase")
    )
    paid = expected["money"][purchase] / expected["purchase"][purchase]
    spread = parameters.amount_spread
    money, delay = np.zeros(luck.shape), np.full(luck.shape, np.nan)
    money[purchase] = paid * stream.lognormal(-(spread**2) / 2, spread, paid.shape)
    delay[purchase] = CART_HOURS + stream.exponential(parameters.delay_hours, paid.shape)
    return Drawn(click, cart, purchase, money, delay)


def share_within(parameters: Simulator, hours: float, outcome: Outcome) -> float:
    """Return the share of an outcome that comes within so many hours of the impression.

    Clicks and cart events come at fixed times; of purchases, 1 − e^(−(hours − cart)/delay) do.
    """
    if outcome == "click":
        return float(hours > CLICK_HOURS)
    left = hours - CART_HOURS
    if outcome == "cart" or left <= 0 or parameters.delay_hours == 0:
        return float(left > 0)
    return float(-np.expm1(-left / parameters.delay_hours))


def _sigmoid(logit: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-logit)))


def _logit(chance: float) -> float:
    return float(np.log(chance / (1 - chance)))
