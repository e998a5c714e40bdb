"""Fusion: the one score by which a request's candidates are ranked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 1e-12  # keeps the logarithm of an expected outcome finite


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the expected outcomes of the tasks become one score.

        additive: Σ_t λ_t · p_t / mean_t        multiplicative: Π_t (p_t / mean_t)^λ_t

    Args:
        form: which of the two.
        weights: λ_t by task, ≥ 0, Σ λ = 1.
        means: mean of p_t over the validation period, > 0: makes the tasks unit-free.
    """

    form: Literal["additive", "multiplicative"]
    weights: Mapping[str, float]
    means: Mapping[str, float]

    def score(self, predictions: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the score of each row.

        The multiplicative form returns the logarithm of its product: it ranks alike and cannot
        underflow.

        Args:
            predictions: expected outcome by task [N]; tasks without a weight are ignored.
        """
        return self.combine(self.terms(predictions))

    def terms(
        self, predictions: Mapping[str, NDArray[np.float64]]
    ) -> dict[str, NDArray[np.float64]]:
        """Return what λ weighs, by task [N]: p / mean, or its logarithm; free of λ and of units.

        Args:
            predictions: expected outcome by task [N].
        """
        relative = {
            task: np.asarray(predictions[task], dtype=np.float64) / self.means[task]
            for task in self.weights
        }
        if self.form == "multiplicative":
            return {task: np.log(np.maximum(p, _SMALLEST)) for task, p in relative.items()}
        return relative

    def combine(self, terms: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return Σ_t λ_t · term_t, of any one shape.

        Args:
            terms: from `terms`, by task.
        """
        total = np.zeros(next(iter(terms.values())).shape, dtype=np.float64)
        for task, weight in self.weights.items():
            total += weight * terms[task]
        return total
