"""Money taught by its mean alone."""

import math
from typing import Self

from torch import Tensor

from shopguide.models.heads.amount import MAX_LOG_MEAN, AmountHead, AmountOutcome
from shopguide.models.heads.head import LabelStatistics, Outcome

POWER = 1.5
"""ρ of the variance φ·μ^ρ: between a Poisson (1) and a gamma (2)."""


class TweedieHead(AmountHead):
    """Compound Poisson of gammas, by its deviance on all rows.

        μ = p · m,   loss = (μ^{2−ρ} / (2−ρ) − y · μ^{1−ρ} / (1−ρ)) / rate + [own p] · BCE(y > 0)

    y and μ are taken in units of a typical payment, which makes the loss free of the currency. p
    is fixed in the deviance: it has a loss of its own, and m gives μ its level. Unlike the ZILN it
    assumes no shape of a payment: where amounts are not lognormal, its mean is still right.

    Source: Jørgensen, "Exponential Dispersion Models", J. R. Stat. Soc. B 49, 1987; for money:
    Zhou et al., "Tweedie Gradient Boosting for Extremely Unbalanced Zero-inflated Data", 2020.
    Here p may come from a funnel.
    """

    def __init__(
        self, in_dim: int, statistics: LabelStatistics, *, has_parent: bool, biases: list[float]
    ) -> None:
        super().__init__(in_dim, statistics, has_parent=has_parent, biases=biases)
        self.log_unit = biases[0]

    @classmethod
    def build(cls, in_dim: int, statistics: LabelStatistics, *, has_parent: bool) -> Self:
        """Start at the rate, and at the mean that a lognormal of the moments of log y has."""
        log_mean = min(statistics.log_mean + statistics.log_std**2 / 2, MAX_LOG_MEAN)
        return cls(in_dim, statistics, has_parent=has_parent, biases=[log_mean])

    def outcome(self, raw: Tensor, log_p: Tensor, log_q: Tensor) -> AmountOutcome:
        """Return the distribution from log m [B, ≥ 1]."""
        return AmountOutcome(log_p, log_q, log_mean=raw[:, 0].clamp(-MAX_LOG_MEAN, MAX_LOG_MEAN))

    def payment_loss(self, outcome: AmountOutcome, payment: Tensor) -> Tensor:
        """Return what a payment adds to the deviance: y · μ^{1−ρ} / (ρ − 1) [B]."""
        scaled = payment / math.exp(self.log_unit)
        return scaled * ((1 - POWER) * self._log_mu(outcome)).exp() / (POWER - 1)

    def loss(self, outcome: Outcome, label: Tensor) -> Tensor:
        """Return the loss of each row [B]; a row without payment pays for its mean."""
        assert isinstance(outcome, AmountOutcome)
        level = ((2 - POWER) * self._log_mu(outcome)).exp() / (2 - POWER) / self.rate
        return super().loss(outcome, label) + level

    def _log_mu(self, outcome: AmountOutcome) -> Tensor:
        return outcome.log_p.detach() + outcome.log_mean - self.log_unit
