"""Log-loss, and how much of the label's entropy it leaves."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST = 1e-12


def log_loss(labels: Floats, probabilities: Floats, weights: Floats) -> float:
    """Return the weighted mean of −y·log p − (1 − y)·log(1 − p), in nats.

    p is kept within [1e-12, 1 − 1e-12]. NaN where there is no weight.
    """
    if not weights.sum() > 0:
        return float("nan")
    p = np.clip(probabilities, _LEAST, 1 - _LEAST)
    losses = -(labels * np.log(p) + (1 - labels) * np.log1p(-p))
    return float(np.average(losses, weights=weights))


def normalised_entropy(labels: Floats, probabilities: Floats, weights: Floats) -> float:
    """Return the log-loss over that of predicting the mean always: 1 says nothing was learnt.

    NaN where there is one class only, or no weight.

    Source: He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014.
    """
    mass = float(weights.sum())
    rate = float(weights @ labels) / mass if mass > 0 else 0.0
    if rate <= 0.0 or rate >= 1.0:
        return float("nan")
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    return log_loss(labels, probabilities, weights) / float(entropy)
