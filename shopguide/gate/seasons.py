"""Seasons of nights against one champion: a confidence sequence beside tests of fixed samples.

Each night's two rankings are exchanged for a random half of the users, as in `relabelling`, and its
log changes and their errors over users are exact functions of the exchange: no bootstrap is drawn,
and a run's own bounds are those of the delta method.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shopguide.gate.arms import Arms
from shopguide.gate.uniform_bound import lower_bounds
from shopguide.spec.gate import Gate
from shopguide.spec.objective import Goal

Array = NDArray[np.float64]
Nights = NDArray[np.int64]

_PART = 3  # of a seed: seasons share no luck with the other kinds of run
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Seasons:
    """N seasons of T nights, no challenger being better; J first, then the K goals.

    Args:
        changes: log(F_challenger / F_champion) of each night [1 + K, N, T].
        errors: their standard errors over users [1 + K, N, T].
        least: log change that each must be shown to exceed [1 + K].
        users: of a night.
        confidence: of a run's own bounds.
    """

    changes: Array
    errors: Array
    least: Array
    users: int
    confidence: float

    @property
    def nights(self) -> int:
        """Number of nights T."""
        return int(self.changes.shape[-1])

    def by_sequence(self, alpha: float, tightest: int, gain: float = 0.0) -> Nights:
        """Return the night on which each season promotes, from 0 [N]; T: on none.

        Both must hold: the sequence's bounds, and the night's own at `confidence`.

        Args:
            alpha: error of the sequence.
            tightest: night at which its bound is tightest.
            gain: that every challenger has in every goal alike.
        """
        users = np.full(self.nights, float(self.users))
        moved = self.changes + np.log1p(gain)
        bounds = lower_bounds(moved, self.errors, users, alpha=alpha, tightest=tightest)
        return self._first(self._above(bounds) & self._own(1 - self.confidence, gain))

    def by_night(self, alphas: Sequence[float], gain: float = 0.0) -> Nights:
        """Return the same of nights that are judged each for itself.

        Args:
            alphas: error of each night [T]; 0: it promotes nothing.
            gain: as above.
        """
        return self._first(self._own(np.asarray(alphas, dtype=np.float64), gain))

    def at_the_end(self, alpha: float, gain: float = 0.0) -> NDArray[np.bool_]:
        """Return whether one test of all nights together, after the last of them, promotes [N].

        Args:
            alpha: error of the test.
            gain: as above.
        """
        mean = self.changes.mean(axis=-1) + np.log1p(gain)
        error = np.sqrt((self.errors**2).sum(axis=-1)) / self.nights
        lower = mean - _NORMAL.inv_cdf(1 - alpha) * error
        return np.asarray((lower > self.least[:, None]).all(axis=0), dtype=np.bool_)

    def needed(self, alpha: float, quantile: float) -> Array:
        """Return the gain above which the first night of each season promotes [N].

        Args:
            alpha: error of its own bounds.
            quantile: standard errors that another bound takes; the lower of the two decides.
        """
        far = max(quantile, _NORMAL.inv_cdf(1 - alpha))
        lower = self.changes[..., 0] - far * self.errors[..., 0]
        found: Array = np.expm1((self.least[:, None] - lower).max(axis=0))
        return found

    def _own(self, alpha: Array | float, gain: float) -> NDArray[np.bool_]:
        from scipy.special import ndtri  # a second to import, and a decision does not need it

        quantile = ndtri(1 - np.asarray(alpha))  # ∞ for a night that may promote nothing
        lower = self.changes + np.log1p(gain) - quantile * self.errors
        return self._above(lower)

    def _above(self, bounds: Array) -> NDArray[np.bool_]:
        return np.asarray((bounds > self.least[:, None, None]).all(axis=0), dtype=np.bool_)

    def _first(self, passing: NDArray[np.bool_]) -> Nights:
        first = np.where(passing.any(axis=-1), passing.argmax(axis=-1), self.nights)
        return first.astype(np.int64)


def draw_seasons(
    arms: Arms,
    goals: Mapping[str, Goal],
    gate: Gate,
    *,
    nights: int,
    runs: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> Seasons:
    """Draw seasons without a better challenger.

    Args:
        arms: of the two rankings; T tasks, U users.
        goals: K goals.
        gate: reads `confidence`, `min_gain` (null: 0) and `margins`.
        nights: of a season.
        runs: seasons.
        seed: of the exchanges.
        progress: told the number of seasons that are done.
    """
    table, width = _products(arms), len(arms.tasks)
    combine = _combinations(arms.tasks, goals)
    shape = (len(combine), runs, nights)
    changes, errors = np.empty(shape), np.empty(shape)
    users = len(arms.requests)
    for run in range(runs):
        stream = np.random.default_rng(np.random.SeedSequence([seed, _PART, run]))
        bits = np.unpackbits(stream.integers(0, 256, (nights, -(-users // 8)), np.uint8), axis=1)
        exchanged = bits[:, :users].astype(np.float64)
        totals = table[0].sum(axis=0) + exchanged @ (table[1] - table[0])
        changes[:, run], errors[:, run] = _moments(totals, width, combine, users)
        if progress is not None:
            progress(run + 1)
    least = [gate.min_gain or 0.0, *(-gate.margins.get(name, 0.0) for name in goals)]
    return Seasons(changes, errors, np.log1p(least), users, gate.confidence)


def _products(arms: Arms) -> tuple[Array, Array]:
    """Return each user's sums and their products, as they are and exchanged [U, 2T + 4T²]."""
    sides = (arms.reference, arms.challenger)
    plain = np.column_stack(sides)
    turned = np.column_stack(sides[::-1])
    return _with_products(plain), _with_products(turned)


def _with_products(sums: Array) -> Array:
    crossed = (sums[:, :, None] * sums[:, None, :]).reshape(len(sums), -1)
    return np.column_stack([sums, crossed])


def _combinations(tasks: Sequence[str], goals: Mapping[str, Goal]) -> Array:
    """Return the log change of J and of each goal as sums of log changes of tasks [1 + K, T].

    A goal per request counts its task; a ratio subtracts the log change of what is below.
    """
    index = {task: place for place, task in enumerate(tasks)}
    each = np.zeros((len(goals), len(tasks)))
    for row, goal in zip(each, goals.values(), strict=True):
        row[index[goal.task]] += 1
        if goal.per is not None:
            row[index[goal.per]] -= 1
    weights = np.array([goal.weight for goal in goals.values()])
    return np.vstack([weights @ each, each])


def _moments(totals: Array, width: int, combine: Array, users: int) -> tuple[Array, Array]:
    """Return log changes and their errors [1 + K, T nights] from totals over users.

    What user u moves log(C_i / R_i) by is c_ui / C_i − r_ui / R_i, so the variance is a form in the
    sums of products.
    """
    sums = totals[:, : 2 * width]
    products = totals[:, 2 * width :].reshape(-1, 2 * width, 2 * width)
    signed = np.column_stack([-1 / sums[:, :width], 1 / sums[:, width:]])
    between = products * signed[:, :, None] * signed[:, None, :]
    folded = between.reshape(-1, 2, width, 2, width).sum(axis=(1, 3))
    changes = combine @ np.log(sums[:, width:] / sums[:, :width]).T
    variance = np.einsum("ki,nij,kj->kn", combine, folded, combine)
    return changes, np.sqrt(np.maximum(variance, 0) * users / (users - 1))
