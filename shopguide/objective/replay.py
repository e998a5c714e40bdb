"""Replay: what a ranking would have brought on the logged lists.

A policy orders the candidates of each logged request; each candidate brings the outcome that was
logged for it, discounted by its rank. All goals are linear in sums over requests, so per-user sums
are all that statistics need.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.spec import Spec
from shopguide.spec.objective import Discount, Goal

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Requests:
    """Logged requests with their outcomes; N rows, R requests, U users.

    Args:
        request: index of each row's request [N].
        user: index of each request's user [R].
        user_ids: id of each user [U], sorted.
        weight: importance weight of each row [N], ≥ 0.
        outcomes: logged outcome by task [N]: 0/1, or money ≥ 0.
        tie: order of equal scores [N]: a hash of the item, so that no logged order is favoured.
    """

    request: NDArray[np.int64]
    user: NDArray[np.int64]
    user_ids: NDArray[np.object_]
    weight: Floats
    outcomes: Mapping[str, Floats]
    tie: NDArray[np.uint64]

    @classmethod
    def from_table(cls, table: pa.Table, spec: Spec, *, where: str = "test set") -> Self:
        """Read the requests of a training set's split.

        Args:
            table: request_id, user_id, item_id, sample_weight, and a column a task.
            spec: reads the tasks.
            where: what error messages call the table.

        Raises:
            ShopguideError: a column is missing.
            InvalidDataError: an outcome is not finite or negative, a weight is not finite or
                negative, a request has two users, or there is no row.
        """
        _check_columns(table, spec, where)
        if not table.num_rows:
            raise InvalidDataError(where, "holds no impression", "Check the split's period")
        request, first = _codes(table.column("request_id"))
        user_of_row, _ = _codes(table.column("user_id"))
        user = user_of_row[first]
        outcomes = {task: _outcome(table, task, where) for task in spec.tasks}
        weight = _column(table, "sample_weight")
        _refuse(
            ~np.isfinite(weight) | (weight < 0), where, "sample_weight", "not finite or negative"
        )
        _refuse(user_of_row != user[request], where, "user_id", "another user than its request's")
        user_ids = np.unique(np.asarray(table.column("user_id").to_pylist(), dtype=object))
        return cls(request, user, user_ids, weight, outcomes, _hash(table.column("item_id")))

    @property
    def users(self) -> int:
        """Number of users U."""
        return len(self.user_ids)

    def requests_per_user(self) -> Floats:
        """Return the number of requests of each user [U]."""
        return np.bincount(self.user, minlength=self.users).astype(np.float64)


def ranks(requests: Requests, scores: Floats) -> NDArray[np.int64]:
    """Return the rank of each row within its request [N]: 1 is the highest score.

    Args:
        requests: of the same rows.
        scores: finite [N].
    """
    order = np.lexsort((requests.tie, -scores, requests.request))
    sizes = np.bincount(requests.request, minlength=len(requests.user))
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    rank = np.empty(len(scores), dtype=np.int64)
    rank[order] = np.arange(len(scores)) - np.repeat(starts, sizes) + 1
    return rank


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
    gained = discounts(ranks(requests, scores), discount) * requests.weight
    user_of_row = requests.user[requests.request]
    return np.column_stack(
        [
            np.bincount(
                user_of_row, weights=gained * requests.outcomes[task], minlength=requests.users
            )
            for task in tasks
        ]
    )


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


def _check_columns(table: pa.Table, spec: Spec, where: str) -> None:
    needed = ["request_id", "user_id", "item_id", "sample_weight", *spec.tasks]
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise ShopguideError(
            where, f"lacks the columns {', '.join(missing)}", "Build the training set again"
        )


def _outcome(table: pa.Table, task: str, where: str) -> Floats:
    values = _column(table, task)
    _refuse(~np.isfinite(values), where, task, "not finite")
    _refuse(values < 0, where, task, "negative")
    return values


def _column(table: pa.Table, name: str) -> Floats:
    column = table.column(name).cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _refuse(bad: NDArray[np.bool_], where: str, column: str, what: str) -> None:
    number = int(bad.sum())
    if number:
        raise InvalidDataError(
            f"{where}, column {column}, row {int(np.argmax(bad)) + 1}",
            f"{what} ({number:,} rows in all)",
            "Mend the log and build the training set again",
        )


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the index of each value among the sorted distinct ones, and where each comes first."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    codes = place[encoded.indices.to_numpy(zero_copy_only=False)]
    first = np.full(len(order), len(codes), dtype=np.int64)
    np.minimum.at(first, codes, np.arange(len(codes)))
    return codes, first


def _hash(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    """Hash each id by its bytes: equal on every machine, unlike Python's own."""
    encoded = column.combine_chunks().dictionary_encode()
    digests = [
        hashlib.blake2b(str(value).encode(), digest_size=8).digest()
        for value in encoded.dictionary.to_pylist()
    ]
    table: NDArray[np.uint64] = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    codes: NDArray[np.int64] = encoded.indices.to_numpy(zero_copy_only=False)
    return table[codes]
