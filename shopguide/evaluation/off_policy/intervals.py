"""Confidence intervals of estimates that are ratios of sums over rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.bootstrap import bootstrap_totals
from shopguide.evaluation.interval import Spread
from shopguide.evaluation.lists import sums
from shopguide.evaluation.off_policy.terms import Terms

Floats = NDArray[np.float64]
Method = Literal["bootstrap", "delta"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its two-sided interval.

    Args:
        value: mean outcome of a decision.
        lower: of the interval; NaN where one unit alone, or none, carries the estimate.
        upper: likewise.
        standard_error: by the delta method.
    """

    value: float
    lower: float
    upper: float
    standard_error: float


def intervals(
    estimators: Mapping[str, Terms],
    unit: NDArray[np.int64],
    *,
    method: Method = "bootstrap",
    confidence: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return every estimate with its interval, all from the same replicates.

    `bootstrap`: Poisson bootstrap over units, corrected for bias and skewness (BCa). `delta`:
    normal, with the variance of the units' influences IF_u = (n_u − V · d_u) / Σ d.

    Args:
        estimators: by name; N rows each.
        unit: index of each row's independent unit [N].
        method: which of the two.
        confidence: two-sided, in (0, 1).
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Source: bootstrap: Efron, JASA 82, 1987; delta: Deng, Knoblich, Lu, KDD 2018, §2.
    """
    units = int(unit.max()) + 1
    columns = np.column_stack(
        [
            sums(unit, part, units)
            for terms in estimators.values()
            for part in (terms.numerator, terms.denominator)
        ]
    )  # [U, 2E]
    totals = None
    if method == "bootstrap" and units > 1:
        totals = bootstrap_totals(columns, replicates=replicates, seed=seed)
    return {
        name: _interval(columns[:, 2 * e : 2 * e + 2], _part(totals, e), confidence)
        for e, name in enumerate(estimators)
    }


def _part(totals: Floats | None, estimator: int) -> Floats | None:
    return None if totals is None else totals[:, 2 * estimator : 2 * estimator + 2]


def _interval(pair: Floats, totals: Floats | None, confidence: float) -> Estimate:
    numerator, denominator = pair.T
    below, units = float(denominator.sum()), len(pair)
    if not below > 0:
        return Estimate(*[float("nan")] * 4)
    value = float(numerator.sum()) / below
    influence = (numerator - value * denominator) / below
    if np.count_nonzero(influence) < 2:
        return Estimate(value, *[float("nan")] * 3)
    error = float(np.sqrt(units / (units - 1) * (influence @ influence)))
    if totals is None:
        reach = NormalDist().inv_cdf((1 + confidence) / 2) * error
        return Estimate(value, value - reach, value + reach, error)
    drawn = totals[totals[:, 1] > 0]
    spread = Spread.of(value, drawn[:, 0] / drawn[:, 1], influence)
    lower, upper = spread.bound((1 - confidence) / 2), spread.bound((1 + confidence) / 2)
    return Estimate(value, lower, upper, error)
