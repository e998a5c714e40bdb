"""Payments that are lognormal."""

import math
from dataclasses import dataclass
from typing import Self

from torch import Tensor
from torch.nn.functional import softplus

from shopguide.models.heads.amount import AmountHead, AmountOutcome
from shopguide.models.heads.head import LabelStatistics

SIGMA_RANGE = (0.05, 3.0)
"""σ is kept within: below, one cheap item would own the loss; above, exp(σ²/2) explodes."""


@dataclass(frozen=True, slots=True)
class ZilnOutcome(AmountOutcome):
    """Zero-inflated lognormal; μ and σ of log y given y > 0 [B]."""

    mu: Tensor
    sigma: Tensor


class ZilnHead(AmountHead):
    """Zero-inflated lognormal (ZILN).

        payment loss = −log f(y; μ, σ) = log y + log σ + ½ log 2π + (log y − μ)² / 2σ²
        E[y] = p · exp(μ + σ²/2)

    Source: Wang et al., "A Deep Probabilistic Model for Customer Lifetime Value Prediction",
    2019. Here σ is clamped, p may come from a funnel, and the density is divided by the rate.
    """

    @classmethod
    def build(cls, in_dim: int, statistics: LabelStatistics, *, has_parent: bool) -> Self:
        """Start at the rate, and at the mean and deviation of log y."""
        biases = [statistics.log_mean, _inverse_softplus(statistics.log_std)]
        return cls(in_dim, statistics, has_parent=has_parent, biases=biases)

    def outcome(self, raw: Tensor, log_p: Tensor, log_q: Tensor) -> ZilnOutcome:
        """Return the distribution from μ and the raw σ [B, ≥ 2]."""
        mu, sigma = raw[:, 0], softplus(raw[:, 1]).clamp(*SIGMA_RANGE)
        return ZilnOutcome(log_p, log_q, log_mean=mu + sigma.square() / 2, mu=mu, sigma=sigma)

    def payment_loss(self, outcome: AmountOutcome, payment: Tensor) -> Tensor:
        """Return −log f [B]."""
        assert isinstance(outcome, ZilnOutcome)
        log_y = payment.log()
        scaled = (log_y - outcome.mu) / outcome.sigma
        return log_y + outcome.sigma.log() + 0.5 * math.log(2 * math.pi) + scaled.square() / 2


def _inverse_softplus(y: float) -> float:
    return y + math.log(-math.expm1(-y))
