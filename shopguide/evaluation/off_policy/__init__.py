"""What another policy would have brought, from logs with the probabilities of what was shown.

Example:
    >>> import numpy as np
    >>> from shopguide.evaluation.off_policy import Logged, snips
    >>> half = np.full(4, 0.5)
    >>> clicks, target = np.array([1.0, 0.0, 1.0, 1.0]), np.array([1.0, 1.0, 0.0, 0.0])
    >>> snips(Logged.of(reward=clicks, propensity=half, target=target)).value
    0.5
"""

from shopguide.evaluation.off_policy.clipped import clipped_ips
from shopguide.evaluation.off_policy.diagnostics import Diagnostics, Reason, diagnose
from shopguide.evaluation.off_policy.doubly_robust import doubly_robust
from shopguide.evaluation.off_policy.estimate import OffPolicy, estimate
from shopguide.evaluation.off_policy.intervals import Estimate, intervals
from shopguide.evaluation.off_policy.ips import ips
from shopguide.evaluation.off_policy.logged import Logged
from shopguide.evaluation.off_policy.outcome_model import (
    OutcomeModel,
    action_means,
    cross_fitted,
)
from shopguide.evaluation.off_policy.snips import snips
from shopguide.evaluation.off_policy.switch_dr import switch_dr
from shopguide.evaluation.off_policy.targets import (
    frequency_policy,
    ranking_target,
    unsupported_share,
)
from shopguide.evaluation.off_policy.terms import Terms

__all__ = [
    "Diagnostics",
    "Estimate",
    "Logged",
    "OffPolicy",
    "OutcomeModel",
    "Reason",
    "Terms",
    "action_means",
    "clipped_ips",
    "cross_fitted",
    "diagnose",
    "doubly_robust",
    "estimate",
    "frequency_policy",
    "intervals",
    "ips",
    "ranking_target",
    "snips",
    "switch_dr",
    "unsupported_share",
]
