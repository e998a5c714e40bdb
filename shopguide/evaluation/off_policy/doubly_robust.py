"""The doubly robust estimator."""

from shopguide.evaluation.off_policy.logged import Logged
from shopguide.evaluation.off_policy.outcome_model import OutcomeModel
from shopguide.evaluation.off_policy.terms import Terms


def doubly_robust(logged: Logged, model: OutcomeModel) -> Terms:
    """Let a model say what the target brings, and weigh only what the model missed.

        V = Σ s_i · (q_π(x_i) + w_i · (r_i − q(x_i, a_i))) / Σ s_i

    with q_π(x) = Σ_a π(a | x) · q(x, a), what the model expects of the target.

    Unbiased if either the propensities or the model are right; a good model leaves little for the
    weights to blow up.

    Args:
        logged: decisions.
        model: of the outcomes, not fitted on the rows that it predicts.

    Source: Dudík, Langford, Li, "Doubly Robust Policy Evaluation and Learning", ICML 2011;
    cross-fitting: Chernozhukov et al., "Double/Debiased Machine Learning", 2018.
    """
    missed = logged.ratio * (logged.reward - model.logged)
    return Terms(logged.weight * (model.target + missed), logged.weight)
