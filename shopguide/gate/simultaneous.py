"""Several candidates at once: the level at which each bound holds for all of them together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def simultaneous_level(draws: Sequence[Array], alpha: float) -> float:
    """Return the level β of each candidate's bound at which all hold together at level α.

        u_rc = rank of replicate r among those of candidate c / (R + 1)
        β    = the α-quantile over r of min_c u_rc              α/C ≤ β ≤ α

    The max-T method on the scale of ranks (its min-P form): every candidate gets the same share of
    the error, and what the candidates have in common is not paid for twice. Two candidates that
    rank alike cost as much as one, C independent ones about α/C each.

    Args:
        draws: replicates of each candidate's statistic [C × R], in the order of the replicates,
            all from the same weights.
        alpha: error of the whole family, one-sided, in (0, 1).

    Source: Westfall and Young, "Resampling-Based Multiple Testing", Wiley, 1993, §2.6; balanced as
    in Beran, "Balanced Simultaneous Confidence Sets", JASA 83, 1988. Here the level is then used
    for BCa bounds.
    """
    if len(draws) < 2:
        return alpha
    lowest = np.min([_ranks(one) for one in draws], axis=0)
    level = float(np.quantile(lowest, alpha, method="weibull"))
    return min(max(level, alpha / len(draws)), alpha)


def _ranks(draws: Array) -> Array:
    """Return the share of replicates that are not above each one [R]; ties take the largest."""
    places = np.searchsorted(np.sort(draws), draws, side="right")
    shares: Array = places / (len(draws) + 1)
    return shares
