"""What every estimator returns: a ratio of sums over rows, so that all intervals are one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Terms:
    """An estimate V = Σ n_i / Σ d_i.

    Args:
        numerator: n [N].
        denominator: d [N]; the row's weight, or its importance weight where V is normalised.
    """

    numerator: Floats
    denominator: Floats

    @property
    def value(self) -> float:
        """V; NaN where the denominators sum to 0."""
        below = float(self.denominator.sum())
        return float(self.numerator.sum()) / below if below > 0 else float("nan")
