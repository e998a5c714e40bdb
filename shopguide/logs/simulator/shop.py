"""A simulated shop with its truth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.logs.simulator import tables
from shopguide.logs.simulator.funnel import (
    OUTCOMES,
    Drawn,
    Outcome,
    draw,
    examination,
    expectations,
    share_within,
)
from shopguide.logs.simulator.latent import Items, Users
from shopguide.logs.simulator.lists import Lists
from shopguide.logs.simulator.lookup import rows_of
from shopguide.logs.simulator.policy import (
    checked,
    discount_worth,
    expected_worth,
    logged_probability,
)
from shopguide.logs.simulator.task_outcome import outcome_of
from shopguide.spec import Spec
from shopguide.spec.objective import Discount
from shopguide.spec.simulator import Simulator

Array = NDArray[np.float64]
Index = NDArray[np.int64]

Counted = Outcome | Literal["impressions"]


@dataclass(frozen=True, slots=True)
class Shop:
    """R requests with lists of L items; N = R·L impressions, in the order shown.

    Arrays over impressions are [R, L]: row r is a request, in order of time, column k what stood
    at position k + 1. Flattened, they are in the order of the rows of `impressions()`.

    Args:
        parameters: that it was drawn from.
        users: with their tastes.
        items: with their characters and prices.
        lists: what was shown, with the logged propensities.
        relevance: expected outcomes of an impression that is examined [R, L] each.
        drawn: what happened.
    """

    parameters: Simulator
    users: Users
    items: Items
    lists: Lists
    relevance: Mapping[Outcome, Array]
    drawn: Drawn

    def true_probability(
        self, outcome: Outcome, user: Index, item: Index, day: Array, position: Index | int = 1
    ) -> Array:
        """Return the exact expected outcome of any impression, shown or not.

            e(position) · P(outcome | examined, user, item, day); for money, the expectation

        Args:
            outcome: click, cart or purchase, over the entire space of impressions; or money.
            user: indices of users; the four broadcast to one shape.
            item: indices of items.
            day: days since the start, which may be beyond the last.
            position: in the list, from 1.
        """
        expected = expectations(self.parameters, self.users, self.items, user, item, day)
        chance: Array = examination(self.parameters, np.asarray(position)) * expected[outcome]
        return chance

    def expected(
        self, outcome: Outcome, *, examined: bool = False, within_hours: float | None = None
    ) -> Array:
        """Return the true expectation of each impression's outcome [R, L].

        Args:
            outcome: click, cart, purchase or money.
            examined: as if the position were looked at: free of position bias. False: at the
                position where it was shown, so that it is the mean of the logged outcomes.
            within_hours: count only what comes this soon after the impression; None: all.
        """
        found = self.relevance[outcome]
        if not examined:
            found = found * self.examined()
        if within_hours is not None:
            found = found * share_within(self.parameters, within_hours, outcome)
        return found

    def examined(self) -> Array:
        """Return e(k), the chance that each position is looked at [L]."""
        return examination(self.parameters, np.arange(1, self.parameters.list_length + 1))

    def true_value(
        self,
        policy: Array,
        outcome: Counted,
        *,
        per: Counted | None = None,
        discount: Discount | None = None,
    ) -> float:
        """Return the exact value of a policy on the shop's requests.

            F = 1/R · Σ_r Σ_j Σ_k π(entry j of r at position k) · δ_k · E[outcome of j | examined]

        An expectation given users, items and lists; nothing is sampled.

        Args:
            policy: scores [N] or [R, L] (equal ones in random order), or placements [R, L, L].
            outcome: what counts; `impressions` counts 1 for each.
            per: outcome of the denominator, for a ratio of two such values (AOV).
            discount: δ; None: e(k), so that F is what the policy would bring if it ran.

        Raises:
            ShopguideError: the policy has another shape, or its placements do not sum to 1.
        """
        placed = self._worth(policy, discount)
        above = float((placed * self._relevant(outcome)).sum())
        if per is None:
            return above / len(self.lists.user)
        return above / float((placed * self._relevant(per)).sum())

    def true_values(
        self, policy: Array, spec: Spec, *, discount: Discount | None = None
    ) -> dict[str, float]:
        """Return the exact value of every goal of a spec under a policy.

        Args:
            policy: as in `true_value`.
            spec: reads `tasks` and `objective.goals`.
            discount: as in `true_value`; `spec.objective.discount` for the gate's worth of ranks.

        Raises:
            ShopguideError: as in `true_value`, or a task is of none of the shop's outcomes.
        """
        outcomes: dict[str, Counted] = {
            name: outcome_of(task, f"tasks.{name}") for name, task in spec.tasks.items()
        }
        outcomes["impressions"] = "impressions"
        return {
            name: self.true_value(
                policy,
                outcomes[goal.task],
                per=None if goal.per is None else outcomes[goal.per],
                discount=discount,
            )
            for name, goal in spec.objective.goals.items()
        }

    def true_objective(
        self, policy: Array, reference: Array, spec: Spec, *, discount: Discount | None = None
    ) -> float:
        """Return J = Σ_k ω_k · F_k(policy) / F_k(reference), exactly.

        Args:
            policy: as in `true_value`.
            reference: the policy that scores 1.
            spec: reads `tasks` and `objective.goals`.
            discount: as in `true_value`.
        """
        found = self.true_values(policy, spec, discount=discount)
        against = self.true_values(reference, spec, discount=discount)
        goals = spec.objective.goals
        return sum(goals[name].weight * found[name] / against[name] for name in goals)

    def logging_policy(self) -> Array:
        """Return the placements of the policy that the log comes from [R, L, L].

        (1 − ε) · [rank of the entry = k] + ε / L
        """
        length, epsilon = self.parameters.list_length, self.parameters.exploration
        position = np.arange(1, length + 1)
        ranked = self.lists.favourite[:, :, None] == position
        placements: Array = (1 - epsilon) * ranked + epsilon / length
        return placements

    def logged_probability(self, policy: Array) -> Array:
        """Return the probability that a policy puts each entry where it was shown [R, L].

        Over `lists.propensity`, it is the importance weight of the impression, of mean 1.

        Args:
            policy: as in `true_value`.
        """
        return logged_probability(checked(policy, *self.lists.item.shape))

    def redrawn(self, seed: int) -> "Shop":
        """Return the shop with the same lists and new luck: outcomes, amounts and delays.

        Args:
            seed: of the luck; `simulate` draws that of no seed.
        """
        stream = np.random.default_rng([self.parameters.seed, seed])
        drawn = draw(self.parameters, self.relevance, self.examined(), stream)
        return replace(self, drawn=drawn)

    def impressions(self) -> pa.Table:
        """Return every impression with its outcomes and its truth, in memory only.

        Columns: those of the canonical log (`request_id` … `propensity`, `sample_weight`); each
        outcome as drawn; `true_OUTCOME`, its expectation where it was shown; `examined_OUTCOME`,
        the same free of position bias; and `purchase_delay_hours`.
        """
        shown = tables.impressions(self.parameters, self.lists)
        for outcome in OUTCOMES:
            shown = shown.append_column(outcome, pa.array(self.drawn.of(outcome).ravel()))
        for prefix, examined in (("true", False), ("examined", True)):
            for outcome in OUTCOMES:
                truth = self.expected(outcome, examined=examined).ravel()
                shown = shown.append_column(f"{prefix}_{outcome}", pa.array(truth))
        delay = pa.array(self.drawn.delay.ravel(), from_pandas=True)
        return shown.append_column("purchase_delay_hours", delay)

    def labelled(self, spec: Spec, *, expected: bool = False, examined: bool = False) -> pa.Table:
        """Return the impressions with one column a task, as a training set has them.

        Every outcome counts however late it comes: no attribution window, no end of the log.

        Args:
            spec: reads `tasks`.
            expected: the true expectation of each outcome instead of what was drawn: replayed,
                it gives the ideal front of a solver, and exact values.
            examined: with `expected`: free of position bias.

        Raises:
            ShopguideError: a task is of none of the shop's outcomes.
        """
        shown = tables.impressions(self.parameters, self.lists)
        for name, task in spec.tasks.items():
            outcome = outcome_of(task, f"tasks.{name}")
            values = (
                self.expected(outcome, examined=examined) if expected else self.drawn.of(outcome)
            )
            shown = shown.append_column(name, pa.array(values.ravel()))
        return shown

    def truth_of(self, table: pa.Table, outcome: Outcome, *, examined: bool = False) -> Array:
        """Return the true expectation of each row of a log or training set of this shop [N].

        Args:
            table: with `request_id` and `item_id`.
            outcome: click, cart, purchase or money.
            examined: free of position bias.

        Raises:
            ShopguideError: a row is not of this shop.
        """
        row = rows_of(table, self.lists)
        found: Array = self.expected(outcome, examined=examined).ravel()[row]
        return found

    def _relevant(self, outcome: Counted) -> Array:
        if outcome == "impressions":
            return np.ones(self.lists.item.shape)
        return self.relevance[outcome]

    def _worth(self, policy: Array, discount: Discount | None) -> Array:
        found = checked(policy, *self.lists.item.shape)
        length = self.parameters.list_length
        worth = self.examined() if discount is None else discount_worth(discount, length)
        return expected_worth(found, worth)
