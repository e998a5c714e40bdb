"""One-sided bounds from bootstrap replicates, corrected for bias and skewness (BCa)."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between two one-sided bounds."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Spread:
    """The bootstrap distribution of one statistic.

        bound at level α = the quantile Φ(z0 + (z0 + z_α) / (1 − a·(z0 + z_α))) of the replicates

    What differs between two rankings comes from few users with much money, so it is skewed. Where
    3 % of 2,000 users lose what the others gain, the plain percentile bound at 95 % promotes in
    6.5 % of the cases and this one in 4.7 %; of 300 users, in 12.4 % and 7.0 %.

    Args:
        draws: of the replicates, ascending [R].
        z0: bias: Φ⁻¹ of the share of replicates below the estimate.
        a: acceleration: a sixth of the skewness of the users' influences.

    Source: Efron, "Better Bootstrap Confidence Intervals", JASA 82, 1987, §3; a by the influence
    function instead of the jackknife (§6).
    """

    estimate: float
    draws: Array
    z0: float
    a: float

    @classmethod
    def of(cls, estimate: float, draws: Array, influences: Array) -> Self:
        """Return the spread of a statistic.

        Args:
            estimate: on the data itself.
            draws: of the replicates [R], finite, in any order.
            influences: of each user on the statistic [U].
        """
        below = np.count_nonzero(draws < estimate) + 0.5 * np.count_nonzero(draws == estimate)
        second = float((influences**2).sum())
        skewness = float((influences**3).sum()) / second**1.5 if second > 0 else 0.0
        return cls(estimate, np.sort(draws), _quantile(below, len(draws)), skewness / 6)

    def interval(self, confidence: float) -> Interval:
        """Return the estimate with its bounds, each one-sided at `confidence`, such as 0.95."""
        return Interval(self.estimate, self.bound(1 - confidence), self.bound(confidence))

    def bound(self, level: float) -> float:
        """Return the value that the statistic's truth is below with confidence `level`."""
        shifted = self.z0 + _NORMAL.inv_cdf(level)
        corrected = _NORMAL.cdf(self.z0 + shifted / (1 - self.a * shifted))
        return float(np.quantile(self.draws, corrected, method="weibull"))

    def p_value_of_loss(self, margin: float) -> float:
        """Return the one-sided p-value of "it loses the margin or more": `bound` turned round.

        Never 0: at least what one replicate in R + 1 would say.
        """
        beyond = float(np.searchsorted(self.draws, -margin, side="right"))
        shifted = _quantile(beyond, len(self.draws)) - self.z0
        return _NORMAL.cdf(shifted / (1 + self.a * shifted) - self.z0)


def _quantile(count: float, replicates: int) -> float:
    """Return Φ⁻¹ of a share of replicates, kept within one of R + 1 of the ends."""
    share = (count + 0.5) / (replicates + 1)
    inside = min(max(share, 1 / (replicates + 1)), replicates / (replicates + 1))
    return _NORMAL.inv_cdf(inside)
