"""The Pareto front of a set of points, and how much it dominates; larger is better in all goals."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EXACT = 5  # goals up to which the volume of a front of 500 points takes less than a second


def non_dominated(values: Floats) -> NDArray[np.bool_]:
    """Return which points no other point matches in every goal and beats in one [P].

    Of equal points the first one stands for all.

    Args:
        values: F [P, K], finite.

    Source: Kung, Luccio and Preparata, "On Finding the Maxima of a Set of Vectors", J. ACM 22(4),
    1975; computed by moocore.
    """
    import moocore

    return np.asarray(moocore.is_nondominated(values, maximise=True), dtype=np.bool_)


def hypervolume(values: Floats, reference: Floats) -> float:
    """Return the volume that points dominate above zero, over that of the reference alone.

        vol of the union over p of the boxes Π_k [0, F_pk / F_k(reference)]

    The reference itself has 1. Free of units, and comparable between runs with the same reference.

    Args:
        values: F [P, K], ≥ 0.
        reference: of the same goals [K], > 0.

    Source: Zitzler and Thiele, "Multiobjective Optimization Using Evolutionary Algorithms", PPSN V,
    1998; computed by moocore. Here: zero is the lower corner, and the unit is the reference's box.
    With more than five goals it is approximated by a fixed sequence of 2^18 directions, to about
    1 %: the exact volume of a large front takes minutes.
    """
    import moocore

    relative = values / reference
    if relative.shape[1] == 1:
        return float(relative.max())
    volume = moocore.hypervolume if relative.shape[1] <= _EXACT else moocore.hv_approx
    return float(volume(relative, ref=0.0, maximise=True))
