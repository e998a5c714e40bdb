"""Whether the logs can answer: what the importance weights look like."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.lists import sums
from shopguide.evaluation.off_policy.logged import Logged

Floats = NDArray[np.float64]
Code = Literal["no_propensity", "no_overlap", "small_sample", "weights_off", "unsupported"]

LEAST_ESS = 100.0
"""Effective rows below which no interval of a weighted mean can be trusted."""

MOST_UNSUPPORTED = 0.01
"""Share of the target's decisions that the logging policy may never make."""

LEAST_P = 0.001
"""Below this p-value the mean weight is too far from 1 to be chance."""

_BINS = 24


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the logs cannot answer.

    Args:
        code: for machines.
        text: for people.
    """

    code: Code
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """The importance weights of logged decisions.

    Args:
        rows: N.
        units: U, what is independent.
        mean_weight: 1 in expectation, where propensities are right and the target is supported.
        mean_weight_error: its standard error over units; NaN of a single unit.
        mean_weight_p: two-sided p-value of a mean of 1; NaN where it has no error.
        ess: (Σ w)² / Σ w²: rows of equal weight that would know as much (Kish 1965).
        largest_weight: of a row.
        largest_share: of all weight that one unit carries.
        zero_share: rows in which the target would never have done what was done.
        smallest_propensity: of a row.
        unsupported: share of the target's decisions that were never logged; None: not known.
        edges: of the histogram, log10 of the weights above 0 [B + 1].
        counts: weight of the rows in each bin [B].
    """

    rows: int
    units: int
    mean_weight: float
    mean_weight_error: float
    mean_weight_p: float
    ess: float
    largest_weight: float
    largest_share: float
    zero_share: float
    smallest_propensity: float
    unsupported: float | None
    edges: Floats
    counts: Floats

    @property
    def ess_share(self) -> float:
        """ESS over rows."""
        return self.ess / self.rows

    def reasons(self) -> tuple[Reason, ...]:
        """Return why the logs cannot answer; none: they can."""
        return tuple(self._reasons())

    def _reasons(self) -> Iterator[Reason]:
        if self.ess == 0:
            yield Reason("no_overlap", "the target would have done nothing of what was logged")
            return
        if self.ess < LEAST_ESS:
            yield Reason(
                "small_sample",
                f"the weights leave {self.ess:,.1f} effective rows of {self.rows:,}, fewer than "
                f"{LEAST_ESS:.0f}; the largest weight is {self.largest_weight:,.0f} and one unit "
                f"carries {self.largest_share:.0%} of all",
            )
        if self.unsupported is not None and self.unsupported > MOST_UNSUPPORTED:
            yield Reason(
                "unsupported",
                f"{self.unsupported:.1%} of what the target would do was never logged",
            )
        if self.mean_weight_p < LEAST_P:
            yield Reason(
                "weights_off",
                f"the mean importance weight is {self.mean_weight:.3f} ± "
                f"{self.mean_weight_error:.3f}, must be 1: the propensities are not those of the "
                "policy that ran, or the target does what was never logged",
            )


def statement(reasons: Sequence[Reason]) -> str:
    """Return one plain sentence: that the logs can answer, or why they cannot."""
    if not reasons:
        return "The logs can say what the target policy would have brought."
    why = "; ".join(reason.text for reason in reasons)
    return f"The logs cannot say what the target policy would have brought: {why}."


def diagnose(logged: Logged, *, unsupported: float | None = None) -> Diagnostics:
    """Return what the importance weights say about the logs.

    Args:
        logged: decisions.
        unsupported: share of the target's decisions that the logging policy never makes, if known.

    Source: effective sample size: Kish, "Survey Sampling", 1965, §11.7; Owen, "Monte Carlo Theory,
    Methods and Examples", 2013, §9.3.
    """
    weight = logged.weight * logged.ratio
    total, mass = float(weight.sum()), float(logged.weight.sum())
    by_unit = sums(logged.unit, weight, logged.units)
    mean = total / mass
    error, p = _mean_test(by_unit, sums(logged.unit, logged.weight, logged.units), mean)
    positive = logged.ratio > 0
    edges, counts = _histogram(logged.ratio[positive], logged.weight[positive])
    return Diagnostics(
        rows=len(weight),
        units=logged.units,
        mean_weight=mean,
        mean_weight_error=error,
        mean_weight_p=p,
        ess=total**2 / float(weight @ weight) if total > 0 else 0.0,
        largest_weight=float(logged.ratio.max()),
        largest_share=float(by_unit.max()) / total if total > 0 else 0.0,
        zero_share=float(logged.weight @ (~positive) / mass),
        smallest_propensity=float(logged.propensity.min()),
        unsupported=unsupported,
        edges=edges,
        counts=counts,
    )


def _mean_test(weights: Floats, masses: Floats, mean: float) -> tuple[float, float]:
    """Return the standard error of the mean weight, and the p-value of a mean of 1."""
    units = len(weights)
    if units < 2:
        return float("nan"), float("nan")
    influence = (weights - mean * masses) / masses.sum()
    error = float(np.sqrt(units / (units - 1) * (influence @ influence)))
    if error == 0:  # all weights alike: 1 or not
        return 0.0, 1.0 if np.isclose(mean, 1, rtol=1e-6) else 0.0
    return error, 2 * NormalDist().cdf(-abs(mean - 1) / error)


def _histogram(ratio: Floats, weight: Floats) -> tuple[Floats, Floats]:
    if not len(ratio):
        return np.empty(0), np.empty(0)
    logs = np.log10(ratio)
    low, high = np.floor(logs.min() * 4) / 4, np.ceil(logs.max() * 4) / 4
    bins = int(min(max(round((high - low) * 4), 1), _BINS))
    counts, edges = np.histogram(
        logs, bins=bins, range=(low, max(high, low + 0.25)), weights=weight
    )
    return edges.astype(np.float64), counts.astype(np.float64)
