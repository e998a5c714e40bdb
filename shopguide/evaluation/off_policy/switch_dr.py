"""The doubly robust estimator that trusts the model alone where weights are large."""

import numpy as np

from shopguide.errors import ShopguideError
from shopguide.evaluation.off_policy.logged import Logged
from shopguide.evaluation.off_policy.outcome_model import OutcomeModel
from shopguide.evaluation.off_policy.terms import Terms


def switch_dr(logged: Logged, model: OutcomeModel, *, threshold: float) -> Terms:
    """Correct the model only where the importance weight is at most τ.

        V = Σ s_i · (q_π(x_i) + w_i · 1[w_i ≤ τ] · (r_i − q(x_i, a_i))) / Σ s_i

    τ = ∞ is the doubly robust estimator, τ = 0 the model alone.

    Args:
        logged: decisions.
        model: of the outcomes, not fitted on the rows that it predicts.
        threshold: τ, ≥ 0.

    Raises:
        ShopguideError: τ is negative or not a number.

    Source: Wang, Agarwal, Dudík, "Optimal and Adaptive Off-policy Evaluation in Contextual
    Bandits", ICML 2017, §4.
    """
    if not threshold >= 0:
        raise ShopguideError(
            "threshold", f"is {threshold:g}, must be 0 or more", "Give a bound such as 10"
        )
    used = np.where(logged.ratio <= threshold, logged.ratio, 0.0)
    missed = used * (logged.reward - model.logged)
    return Terms(logged.weight * (model.target + missed), logged.weight)
