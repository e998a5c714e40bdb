"""Replay: what a ranking would have brought on the logged lists.

A policy orders the candidates of each logged request; each candidate brings the outcome that was
logged for it, discounted by its rank. All goals are linear in sums over requests, so per-user sums
are all that statistics need.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError
from shopguide.objective import reading
from shopguide.objective.lists import Lists
from shopguide.spec import Spec
from shopguide.spec.objective import IMPRESSIONS, Discount, Goal

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Requests:
    """Logged requests with their outcomes; N rows, R requests, U users.

    Args:
        request: index of each row's request [N].
        user: index of each request's user [R].
        user_ids: id of each user [U], sorted.
        weight: importance weight q of each row [N], ≥ 0.
        outcomes: logged outcome by name [N]: 0/1, or an amount ≥ 0.
        tie: order of equal scores [N]: a hash of the item, so that no logged order is favoured.
        lists: the rows side by side; made of the others.
    """

    request: NDArray[np.int64]
    user: NDArray[np.int64]
    user_ids: NDArray[np.object_]
    weight: Floats
    outcomes: Mapping[str, Floats]
    tie: NDArray[np.uint64]
    lists: Lists = field(default_factory=lambda: Lists(0, ()), repr=False)

    def __post_init__(self) -> None:
        if self.lists.length != len(self.request):
            lists = Lists.of(self.request, self.tie, len(self.user))
            object.__setattr__(self, "lists", lists)

    @classmethod
    def from_table(cls, table: pa.Table, spec: Spec, *, where: str = "test set") -> Self:
        """Read the requests of a training set's split.

        Args:
            table: the columns that `needed_columns` names.
            spec: reads the tasks and the objective.
            where: what error messages call the table.

        Raises:
            ShopguideError: a column is missing or holds no numbers, an id is missing, or an outcome
                is too large to be summed.
            InvalidDataError: an outcome is not finite or negative, a weight is not finite or
                negative or all are 0, a propensity that is used is not in (0, 1], a request has
                two users, or there is no row.
        """
        reading.require_columns(table, needed_columns(spec), where)
        if not table.num_rows:
            raise InvalidDataError(where, "holds no impression", "Check the split's period")
        reading.require_ids(table, where)
        request = reading.coded(table.column("request_id"))
        users = reading.coded(table.column("user_id"))
        user = users.codes[request.first]
        outcomes = {
            name: reading.outcome(table, name, where)
            for name in (*spec.tasks, *spec.objective.outcomes)
        }
        if IMPRESSIONS in goal_tasks(spec.objective.goals):
            outcomes[IMPRESSIONS] = np.ones(table.num_rows)
        weight = reading.importance(table, spec.objective.importance, where)
        stranger = users.codes != user[request.codes]
        reading.refuse(stranger, where, "user_id", "another user than its request's")
        tie = reading.hashes(table.column("item_id"))
        return cls(request.codes, user, users.ids, weight, outcomes, tie)

    @property
    def users(self) -> int:
        """Number of users U."""
        return len(self.user_ids)

    def only(self, rows: NDArray[np.bool_]) -> Self:
        """Return the same requests and users with some of the rows.

        Args:
            rows: which [N].
        """
        return replace(
            self,
            request=self.request[rows],
            weight=self.weight[rows],
            outcomes={name: values[rows] for name, values in self.outcomes.items()},
            tie=self.tie[rows],
            lists=Lists.of(self.request[rows], self.tie[rows], len(self.user)),
        )

    def requests_per_user(self) -> Floats:
        """Return the number of requests of each user [U]."""
        return np.bincount(self.user, minlength=self.users).astype(np.float64)


def needed_columns(spec: Spec) -> list[str]:
    """Return the columns of a training set that `Requests.from_table` reads."""
    objective = spec.objective
    keys = ["request_id", "user_id", "item_id", "sample_weight"]
    propensity = [] if objective.importance.propensity == "ignore" else ["propensity"]
    return [*keys, *propensity, *spec.tasks, *objective.outcomes]


def ranks(requests: Requests, scores: Floats) -> NDArray[np.int64]:
    """Return the rank of each row within its request [N]: 1 is the highest score.

    Args:
        requests: of the same rows.
        scores: finite [N].
    """
    rank = np.empty(len(scores) + 1, dtype=np.int64)
    for block in requests.lists.best(scores):
        rank[block.rows] = np.arange(1, block.rows.shape[1] + 1)
    return rank[:-1]


def discounts(rank: NDArray[np.int64], discount: Discount) -> Floats:
    """Return δ of each rank: 1/log2(1 + rank) or 1 up to rank k, 0 beyond."""
    inside = rank <= discount.k
    worth = 1.0 / np.log2(1.0 + rank) if discount.kind == "dcg" else np.ones(len(rank))
    return np.where(inside, worth, 0.0)


def user_sums(
    requests: Requests, scores: Floats, tasks: Sequence[str], discount: Discount
) -> Floats:
    """Return Σ over a user's requests and candidates of δ(rank) · outcome · weight [U, T].

    Args:
        requests: logged requests.
        scores: of the policy, finite [N].
        tasks: T of them, whose outcomes are summed.
        discount: δ.
    """
    sums = request_sums(requests, scores, tasks, discount)
    columns = [
        np.bincount(requests.user, weights=column, minlength=requests.users) for column in sums.T
    ]
    return np.column_stack(columns)


def request_sums(
    requests: Requests, scores: Floats, tasks: Sequence[str], discount: Discount
) -> Floats:
    """Return Σ over a request's candidates of δ(rank) · outcome · weight [R, T].

    Args:
        requests: logged requests.
        scores: of the policy, finite [N].
        tasks: T of them, whose outcomes are summed.
        discount: δ.
    """
    worth = discounts(np.arange(1, discount.k + 1), discount)
    gains = [np.append(requests.outcomes[task] * requests.weight, 0.0) for task in tasks]
    sums = np.zeros((len(requests.user), len(tasks)))
    for block in requests.lists.best(scores, discount.k):
        inside = worth[: block.rows.shape[1]]
        for position, gain in enumerate(gains):
            sums[block.requests, position] = np.einsum("rk,k->r", gain[block.rows], inside)
    return sums


def goal_tasks(goals: Mapping[str, Goal]) -> list[str]:
    """Return every task that a goal's numerator or denominator needs, once each."""
    named = [task for goal in goals.values() for task in (goal.task, goal.per) if task is not None]
    return list(dict.fromkeys(named))


def goal_values(
    totals: Floats, requests: Floats | float, tasks: Sequence[str], goals: Mapping[str, Goal]
) -> Floats:
    """Return the value of each goal [..., K] from totals over users.

        F_k = total of its task / number of requests, or over the total of `per` for a ratio

    A ratio whose denominator is 0 is NaN.

    Args:
        totals: Σ over users of `user_sums` [..., T]; leading axes are bootstrap replicates.
        requests: Σ over users of their requests [...].
        tasks: names of the last axis of `totals`.
        goals: K goals.
    """
    index = {task: position for position, task in enumerate(tasks)}
    values = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for goal in goals.values():
            below = requests if goal.per is None else totals[..., index[goal.per]]
            values.append(totals[..., index[goal.task]] / below)
    return np.stack(values, axis=-1)


def objective_value(values: Floats, reference: Floats, goals: Mapping[str, Goal]) -> Floats:
    """Return J = Σ_k ω_k · F_k / F_k(reference) [...]; the reference scores 1.

    Args:
        values: F [..., K].
        reference: F of the champion [..., K], > 0.
        goals: K goals with their weights ω.
    """
    weights = np.array([goal.weight for goal in goals.values()])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((weights * values / reference).sum(axis=-1))
