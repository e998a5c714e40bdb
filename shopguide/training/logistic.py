"""Logistic regression on one or two columns, by Newton's method: no library to load."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 50
_HALVINGS = 30
_ENOUGH = 1e-10  # gain in mean log-likelihood below which it has converged
_FARTHEST = 500.0


def fit_logistic(columns: Floats, labels: Floats, weights: Floats) -> Floats | None:
    """Return the coefficients that maximise Σ w · (y log σ(z) + (1 − y) log(1 − σ(z))), z = Xβ.

    Args:
        columns: X [N, D]; a column of ones is the intercept.
        labels: 0 or 1 [N].
        weights: ≥ 0, not all 0 [N].

    Returns:
        β [D]; None where there is no finite maximum, as with classes that X separates.
    """
    mass = weights.sum()
    beta = np.zeros(columns.shape[1])
    best = _log_likelihood(columns @ beta, labels, weights) / mass
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(columns @ beta, -_FARTHEST, _FARTHEST)))
        gradient = columns.T @ (weights * (labels - p)) / mass
        hessian = (columns * (weights * p * (1 - p))[:, None]).T @ columns / mass
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return None
        for _ in range(_HALVINGS):
            reached = _log_likelihood(columns @ (beta + step), labels, weights) / mass
            if reached >= best:
                break
            step = step / 2
        else:
            return beta  # no step of Newton's goes higher: rounding is all that is left
        beta, gain, best = beta + step, reached - best, reached
        if gain < _ENOUGH:
            return beta
    return None


def _log_likelihood(z: Floats, labels: Floats, weights: Floats) -> float:
    return float(weights @ (labels * z - np.logaddexp(0, z)))
