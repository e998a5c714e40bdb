"""All estimators on one log, with what the logs can and cannot say."""

from dataclasses import dataclass

from shopguide.evaluation.off_policy.clipped import clipped_ips
from shopguide.evaluation.off_policy.diagnostics import (
    Diagnostics,
    Reason,
    diagnose,
    statement,
)
from shopguide.evaluation.off_policy.doubly_robust import doubly_robust
from shopguide.evaluation.off_policy.intervals import Estimate, Method, intervals
from shopguide.evaluation.off_policy.ips import ips
from shopguide.evaluation.off_policy.logged import Logged
from shopguide.evaluation.off_policy.outcome_model import OutcomeModel
from shopguide.evaluation.off_policy.snips import snips
from shopguide.evaluation.off_policy.switch_dr import switch_dr
from shopguide.evaluation.off_policy.terms import Terms


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """What the target would have brought, by every estimator.

    Args:
        estimates: by estimator.
        gain: of the target over what was logged, by DR if there is a model, else by IPS; both from
            the same rows and replicates.
        logged_value: mean outcome of the policy that ran.
        diagnostics: of the importance weights.
        reasons: why the logs cannot answer; empty: they can.
    """

    estimates: dict[str, Estimate]
    logged_value: Estimate
    gain: Estimate
    diagnostics: Diagnostics
    reasons: tuple[Reason, ...]

    @property
    def answers(self) -> bool:
        """Whether the logs can say what the target would have brought."""
        return not self.reasons

    @property
    def statement(self) -> str:
        """One plain sentence."""
        return statement(self.reasons)


def estimate(
    logged: Logged,
    model: OutcomeModel | None = None,
    *,
    clip: float = 10.0,
    threshold: float = 10.0,
    unsupported: float | None = None,
    method: Method = "bootstrap",
    confidence: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> OffPolicy:
    """Estimate the value of the target policy: its mean outcome of a decision.

    Args:
        logged: decisions.
        model: of the outcomes, for `dr` and `switch_dr`.
        clip: bound of the weights of `clipped_ips` and `clipped_snips`.
        threshold: weight above which `switch_dr` trusts the model alone.
        unsupported: share of the target's decisions that the log never has, if known.
        method: of the intervals.
        confidence: of the intervals, two-sided.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """
    estimators = {
        "ips": ips(logged),
        "snips": snips(logged),
        "clipped_ips": clipped_ips(logged, clip=clip),
        "clipped_snips": clipped_ips(logged, clip=clip, normalise=True),
    }
    if model is not None:
        estimators["dr"] = doubly_robust(logged, model)
        estimators["switch_dr"] = switch_dr(logged, model, threshold=threshold)
    brought = logged.weight * logged.reward
    unbiased = estimators["ips" if model is None else "dr"]
    estimators["logged"] = Terms(brought, logged.weight)
    estimators["gain"] = Terms(unbiased.numerator - brought, logged.weight)
    found = intervals(
        estimators,
        logged.unit,
        method=method,
        confidence=confidence,
        replicates=replicates,
        seed=seed,
    )
    diagnostics = diagnose(logged, unsupported=unsupported)
    return OffPolicy(
        estimates={n: value for n, value in found.items() if n not in ("logged", "gain")},
        logged_value=found["logged"],
        gain=found["gain"],
        diagnostics=diagnostics,
        reasons=diagnostics.reasons(),
    )
