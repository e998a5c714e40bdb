"""Whether predictions have the right size: PCOC, ECE and the reliability curve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.ordering import rising

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Predicted and observed mean in bins of equal weight, by rising prediction.

    Args:
        predicted: mean prediction of each bin [B].
        observed: mean outcome of each bin [B].
        weight: Σ of the weights of each bin [B].
    """

    predicted: Floats
    observed: Floats
    weight: Floats

    @property
    def ece(self) -> float:
        """Expected calibration error: the weighted mean of |predicted − observed|; NaN if empty."""
        if not self.weight.sum() > 0:
            return float("nan")
        return float(np.average(np.abs(self.predicted - self.observed), weights=self.weight))


def pcoc(outcomes: Floats, predictions: Floats, weights: Floats) -> float:
    """Return predicted over observed, Σ w·p / Σ w·y: 1 is calibrated in the large.

    NaN where nothing was observed.
    """
    observed = float(weights @ outcomes)
    return float(weights @ predictions) / observed if observed > 0 else float("nan")


def reliability(
    outcomes: Floats,
    predictions: Floats,
    weights: Floats,
    *,
    bins: int = 10,
    order: NDArray[np.int64] | None = None,
) -> Reliability:
    """Return the reliability curve in bins of equal weight.

    Equal predictions stay in one bin, so there may be fewer bins than asked for.

    Args:
        outcomes: 0/1 or money [N].
        predictions: expected outcome [N].
        weights: ≥ 0 [N]; all 0: an empty curve.
        bins: most bins.
        order: the rows by rising prediction, if they were sorted already [N].

    Source: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI
    2015; equal mass as in Nguyen and O'Connor, EMNLP 2015.
    """
    if not weights.sum() > 0:
        return Reliability(*np.empty((3, 0)))
    order = rising(predictions) if order is None else order
    p, y, w = predictions[order], outcomes[order], weights[order]
    before = np.cumsum(w) - w
    bin_of_row = np.minimum((before / w.sum() * bins).astype(np.int64), bins - 1)
    first_of_tie = np.concatenate(([True], np.diff(p) != 0))
    bin_of_row = bin_of_row[np.maximum.accumulate(np.where(first_of_tie, np.arange(len(p)), 0))]
    mass = np.bincount(bin_of_row, weights=w, minlength=bins).astype(np.float64)
    filled = mass > 0
    predicted = np.bincount(bin_of_row, weights=w * p, minlength=bins)[filled] / mass[filled]
    observed = np.bincount(bin_of_row, weights=w * y, minlength=bins)[filled] / mass[filled]
    return Reliability(predicted, observed, mass[filled])
