"""Inverse propensity scoring with bounded weights."""

import numpy as np

from shopguide.errors import ShopguideError
from shopguide.evaluation.off_policy.logged import Logged
from shopguide.evaluation.off_policy.terms import Terms


def clipped_ips(logged: Logged, *, clip: float, normalise: bool = False) -> Terms:
    """Cut every weight off at a bound: less variance, for a bias towards the logging policy.

        V = Σ s_i · min(w_i, c) · r_i / Σ s_i           or, normalised, over Σ s_i · min(w_i, c)

    For outcomes ≥ 0 the plain form never overstates the target, in expectation.

    Args:
        logged: decisions.
        clip: c, > 0.
        normalise: divide by the cut weights.

    Raises:
        ShopguideError: c is not above 0.

    Source: Ionides, "Truncated Importance Sampling", JCGS 17(2), 2008; Bottou et al.,
    "Counterfactual Reasoning and Learning Systems", JMLR 14, 2013, §4.
    """
    if not clip > 0:
        raise ShopguideError("clip", f"is {clip:g}, must be above 0", "Give a bound such as 10")
    weight = logged.weight * np.minimum(logged.ratio, clip)
    return Terms(weight * logged.reward, weight if normalise else logged.weight)
