"""A shop that is drawn from a known model: what the truth is, the simulator knows."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from shopguide.spec._section import Rate, Section

Chance = Annotated[float, Field(gt=0, lt=1)]
Strength = Annotated[float, Field(ge=0, le=10)]

_MOST_IMPRESSIONS = 100_000_000  # some 20 GB while they are drawn
_MOST_LATENT = 200_000_000  # numbers of the users' and of the items' tastes


class Simulator(Section):
    """A simulated shop: users with tastes see ranked lists, click, put into the cart, and buy.

    With e(k) = k^−position_bias the chance that position k is examined, x the item's standardised
    log price, d the share of the days that are over, u and w the user's tastes for clicking and
    for buying, v the item's character (all products ⟨u, v⟩ are standard normal over users):

        P(click) = e(k) · σ(logit click_rate + taste·⟨u, v⟩ + popularity·p + drift·d·z − aversion·x)
        P(cart | click) = σ(logit cart_rate + taste·⟨w, v⟩)
        P(purchase | cart) = σ(logit purchase_rate + taste·⟨w, v⟩ / 2)
        money | purchase ~ lognormal(log(price of the item · budget of the user), amount_spread)

    The shop ranks each list by what the average user finds appealing on that day, except for a
    share `exploration` of the lists, which it shuffles: every propensity is known.
    """

    source: Literal["simulator"]
    seed: int = Field(0, ge=0, lt=2**32, description="Of the shop; the spec's seed is the model's.")
    start: date = Field(date(2024, 1, 1), description="First day, in UTC.")
    days: int = Field(56, ge=1, le=3650, description="Days that the log covers.")
    users: int = Field(2000, ge=2, le=10_000_000)
    items: int = Field(200, ge=2, le=1_000_000)
    categories: int = Field(10, ge=1, le=10_000, description="At most one an item.")
    requests_per_user: float = Field(
        20.0, gt=0, le=10_000, description="Lists that a user sees over all days, on average."
    )
    list_length: int = Field(
        10, ge=2, le=1000, description="Items of a list, all of them shown; at most all items."
    )
    tastes: int = Field(8, ge=1, le=256, description="Dimensions of tastes and characters.")
    taste: Strength = Field(1.0, description="Standard deviation of a taste, in logits.")
    agreement: float = Field(
        0.5, ge=-1, le=1, description="Correlation of the tastes for clicking and for buying."
    )
    popularity: Strength = Field(
        0.5,
        description="Standard deviation of p, in logits; an item is offered e^(popularity·p) as "
        "often as the average one.",
    )
    drift: Strength = Field(
        0.3, description="Standard deviation of an item's change of appeal over all days, in logits"
    )
    position_bias: float = Field(
        0.5, ge=0, le=5, description="Position k is examined with probability k^−position_bias."
    )
    exploration: Rate = Field(0.3, description="Share of the lists that are shuffled.")
    click_rate: Chance = Field(0.2, description="Chance of a click, average and at position 1.")
    cart_rate: Chance = Field(0.4, description="Chance of a cart after a click, average.")
    purchase_rate: Chance = Field(0.5, description="Chance of a purchase after a cart, average.")
    price: float = Field(20.0, gt=0, le=1e9, description="Median price, in `currency`.")
    price_spread: float = Field(
        0.6, ge=0, le=5, description="Standard deviation of an item's log price."
    )
    aversion: float = Field(
        0.3,
        ge=-10,
        le=10,
        description="Logits of a click that a price one standard deviation higher costs: clicks "
        "and money then want different rankings.",
    )
    budget_spread: float = Field(
        0.3, ge=0, le=5, description="Standard deviation of a user's log budget (mean budget: 1)."
    )
    amount_spread: float = Field(
        0.4, ge=0, le=5, description="Standard deviation of what is paid, in logs."
    )
    delay_hours: float = Field(
        6.0, ge=0, le=8760, description="Mean time from cart to purchase, exponential."
    )
    currency: str = "EUR"

    @field_validator("categories", "list_length")
    @classmethod
    def _no_more_than_items(cls, value: int, info: ValidationInfo) -> int:
        items = info.data.get("items")
        if items is not None and value > items:
            msg = f"is {value}, more than the {items} items"
            raise ValueError(msg)
        return value

    @field_validator("list_length")
    @classmethod
    def _bounded(cls, value: int, info: ValidationInfo) -> int:
        users, requests = info.data.get("users"), info.data.get("requests_per_user")
        if users is not None and requests is not None:
            rows = users * requests * value
            if rows > _MOST_IMPRESSIONS:
                msg = f"makes {rows:,.0f} impressions of {users:,} users; {_MOST_IMPRESSIONS:,} fit"
                raise ValueError(msg)
        return value

    @field_validator("tastes")
    @classmethod
    def _tastes_fit(cls, value: int, info: ValidationInfo) -> int:
        largest = max((info.data.get(name) or 0) for name in ("users", "items"))
        if largest * value > _MOST_LATENT:
            msg = f"makes {largest * value:,} numbers of {largest:,} users or items; "
            raise ValueError(msg + f"{_MOST_LATENT:,} fit")
        return value
