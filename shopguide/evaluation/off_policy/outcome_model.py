"""What a model expects of logged and of target decisions, fitted on other rows than it predicts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.lists import sums
from shopguide.evaluation.off_policy.logged import Logged

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

Predict = Callable[[Indices], Floats]
"""From rows [n] to the expected outcome of every action there, q [n, A]."""

Fit = Callable[[Indices], Predict]
"""From the rows to learn from to the fitted model."""

Policy = Callable[[Indices], Floats]
"""From rows [n] to the target's probability of every action there, π(a | x) [n, A]."""

_CHUNK = 8_192  # rows whose actions are looked at together: bounds memory


@dataclass(frozen=True, slots=True)
class OutcomeModel:
    """A model's expectations at the logged rows.

    Args:
        logged: q(x_i, a_i) of the action that was taken [N].
        target: Σ_a π(a | x_i) · q(x_i, a) [N].
    """

    logged: Floats
    target: Floats


def cross_fitted(
    logged: Logged, action: Indices, policy: Policy, fit: Fit, *, folds: int = 5, seed: int = 0
) -> OutcomeModel:
    """Fit a model once a fold, on the units outside of it, and predict the fold.

    Args:
        logged: decisions.
        action: index of the action taken [N], 0 … A − 1.
        policy: of the target.
        fit: learns from some rows.
        folds: ≥ 2, at most the number of units.
        seed: of the draw of the folds.
    """
    fold = folds_of(logged, folds, seed)
    taken, expected = np.empty(len(action)), np.empty(len(action))
    for part in range(int(fold.max()) + 1):
        predict = fit(np.flatnonzero(fold != part))
        rows = np.flatnonzero(fold == part)
        for start in range(0, len(rows), _CHUNK):
            held = rows[start : start + _CHUNK]
            outcomes = predict(held)  # [n, A]
            taken[held] = outcomes[np.arange(len(held)), action[held]]
            expected[held] = (policy(held) * outcomes).sum(axis=1)
    return OutcomeModel(taken, expected)


def folds_of(logged: Logged, folds: int, seed: int) -> Indices:
    """Return the fold of each row [N]; the rows of a unit share one, and none is empty.

    Args:
        logged: decisions.
        folds: at most; there are no more than units.
        seed: of the draw.
    """
    order = np.random.default_rng(seed).permutation(logged.units)
    fold: Indices = (order % min(folds, logged.units))[logged.unit]
    return fold


def action_means(logged: Logged, action: Indices, actions: int, *, prior: float = 50.0) -> Fit:
    """Return a model without features: each action's mean, drawn towards the mean of all.

        q(a) = (Σ_{i: a_i = a} s_i r_i + m · r̄) / (Σ_{i: a_i = a} s_i + m)

    Args:
        logged: decisions.
        action: index of the action taken [N].
        actions: A.
        prior: m > 0, rows that the mean of all counts for.
    """

    def fit(rows: Indices) -> Predict:
        weight = logged.weight[rows]
        mass = sums(action[rows], weight, actions)
        total = sums(action[rows], weight * logged.reward[rows], actions)
        overall = total.sum() / max(float(mass.sum()), 1e-12)
        means = (total + prior * overall) / (mass + prior)
        return lambda held: np.broadcast_to(means, (len(held), actions))

    return fit
