"""Inverse propensity scoring."""

from shopguide.evaluation.off_policy.logged import Logged
from shopguide.evaluation.off_policy.terms import Terms


def ips(logged: Logged) -> Terms:
    """Weigh each outcome by how much more often the target would have made the decision.

        V = Σ s_i · w_i · r_i / Σ s_i        w = π / π₀, s the row's weight

    Unbiased where π₀ > 0 wherever π > 0; its variance grows with the largest weights.

    Args:
        logged: decisions.

    Source: Horvitz and Thompson, "A Generalization of Sampling Without Replacement from a Finite
    Universe", JASA 47, 1952.
    """
    return Terms(logged.weight * logged.ratio * logged.reward, logged.weight)
