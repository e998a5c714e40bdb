"""What a policy does with a list: where it puts each item, and what that is worth.

A policy is either scores [R, L], a higher one first and equal ones in random order, or placements
[R, L, L]: the probability that it puts entry j of the list at position k + 1. Entries are in the
order in which the list was shown.
"""

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import ShopguideError
from shopguide.spec.objective import Discount

Array = NDArray[np.float64]

_TOLERANCE = 1e-6


def expected_worth(policy: Array, worth: Array) -> Array:
    """Return what the place of each entry is worth under a policy, on average [R, L].

        Σ_k π(entry at k) · worth_k

    Args:
        policy: scores or placements.
        worth: of positions 1 … L [L].
    """
    if policy.ndim == 3:
        placed: Array = policy @ worth
        return placed
    order, first, size = _ties(policy)
    before = np.concatenate(([0.0], np.cumsum(worth)))
    shared = (before[first + size] - before[first]) / size
    out = np.empty(policy.shape)
    np.put_along_axis(out, order, shared, axis=1)
    return out


def logged_probability(policy: Array) -> Array:
    """Return the probability that a policy puts each entry where the log has it [R, L].

    Over the logged propensity, it is the importance weight of the impression; its mean is 1.

    Args:
        policy: scores or placements.
    """
    if policy.ndim == 3:
        return np.asarray(np.diagonal(policy, axis1=1, axis2=2))
    order, first, size = _ties(policy)
    inside = (order >= first) & (order < first + size)
    out = np.empty(policy.shape)
    np.put_along_axis(out, order, inside / size, axis=1)
    return out


def discount_worth(discount: Discount, length: int) -> Array:
    """Return δ of positions 1 … L [L]: 1/log2(1 + k) or 1 up to `discount.k`, then 0."""
    position = np.arange(1, length + 1)
    worth = 1 / np.log2(1.0 + position) if discount.kind == "dcg" else np.ones(length)
    return np.where(position <= discount.k, worth, 0.0)


def checked(policy: Array, requests: int, length: int) -> Array:
    """Return a policy as [R, L] or [R, L, L].

    Args:
        policy: scores [R·L] or [R, L], or placements [R, L, L].
        requests: R.
        length: L.

    Raises:
        ShopguideError: it has another shape, is not finite, or its placements do not sum to 1.
    """
    found = np.asarray(policy, dtype=np.float64)
    if found.shape == (requests * length,):
        found = found.reshape(requests, length)
    if found.shape not in ((requests, length), (requests, length, length)):
        raise ShopguideError(
            "policy",
            f"has the shape {found.shape}; the shop has {requests:,} lists of {length}",
            "Give one score an impression, or placements",
        )
    if not np.isfinite(found).all():
        raise ShopguideError("policy", "holds what is not finite", "Score every impression")
    if found.ndim == 3:
        sums = (found.sum(axis=1), found.sum(axis=2))
        off = max((float(np.abs(total - 1).max(initial=0)) for total in sums), default=0.0)
        if off > _TOLERANCE or (found < -_TOLERANCE).any():
            raise ShopguideError(
                "policy",
                f"placements sum to other than 1, by {off:.2g}",
                "Give each entry and each position probabilities that sum to 1",
            )
    return found


def _ties(scores: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's order, and of each place in it the first place and the number of its ties.

    All three are [R, L]; the places count from 0.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    rows, length = scores.shape
    starts = np.ones((rows, length), dtype=np.bool_)
    starts[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    group = np.cumsum(starts.ravel()) - 1
    sizes = np.bincount(group)
    begins = np.flatnonzero(starts.ravel()) % length
    return order, begins[group].reshape(rows, length), sizes[group].reshape(rows, length)
