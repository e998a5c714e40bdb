"""Money that is zero for most rows and lognormal for the rest."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from shopguide.models.heads.binary import cross_entropy
from shopguide.models.heads.head import Head, LabelStatistics, Outcome, linear

SIGMA_RANGE = (0.05, 3.0)
"""σ is kept within: below, one cheap item would own the loss; above, exp(σ²/2) explodes."""

MAX_LOG_MEAN = 20.0
"""Largest μ + σ²/2: an expectation of at most 4.9e8 units per purchase."""


@dataclass(frozen=True, slots=True)
class AmountOutcome(Outcome):
    """Zero-inflated lognormal; μ and σ of log y given y > 0 [B]."""

    mu: Tensor
    sigma: Tensor

    def expected(self) -> Tensor:
        """Return p · exp(μ + σ²/2) [B]."""
        log_mean = (self.mu + self.sigma.square() / 2).clamp(max=MAX_LOG_MEAN)
        return (self.log_p + log_mean).exp()


class AmountHead(Head):
    """Zero-inflated lognormal (ZILN).

        loss = [p is the head's own] · BCE(y > 0) + [y > 0] · −log f(y; μ, σ) / rate
        −log f = log y + log σ + ½ log 2π + (log y − μ)² / 2σ²

    With a parent, p is the parent's, which has a loss of its own. The density counts on positive
    rows alone; dividing by their rate makes the mean over all rows the mean over positive ones, so
    that rare purchases do not mute it. p and (μ, σ) have separate optima: it moves neither.

    Source: Wang et al., "A Deep Probabilistic Model for Customer Lifetime Value Prediction",
    2019. Here σ is clamped, p may come from a funnel, and the density is divided by the rate.
    """

    def __init__(self, in_dim: int, statistics: LabelStatistics, *, has_parent: bool) -> None:
        super().__init__()
        self.rate = statistics.rate
        self.own_p = not has_parent
        biases = [statistics.log_mean, _inverse_softplus(statistics.log_std)]
        if self.own_p:
            biases.append(math.log(statistics.rate / (1 - statistics.rate)))
        self.parameters_of_y = linear(in_dim, biases)

    @classmethod
    def build(cls, in_dim: int, statistics: LabelStatistics, *, has_parent: bool) -> Self:
        """Start at the rate, and at the mean and deviation of log y."""
        return cls(in_dim, statistics, has_parent=has_parent)

    def forward(self, h: Tensor, parent: Outcome | None) -> AmountOutcome:
        """Map a representation [B, H] and the parent's distribution to the amount's."""
        raw = self.parameters_of_y(h)  # [B, 2 or 3]
        sigma = softplus(raw[:, 1]).clamp(*SIGMA_RANGE)
        if self.own_p:
            log_p, log_q = logsigmoid(raw[:, 2]), logsigmoid(-raw[:, 2])
        else:
            assert parent is not None
            log_p, log_q = parent.log_p, parent.log_q
        return AmountOutcome(log_p=log_p, log_q=log_q, mu=raw[:, 0], sigma=sigma)

    def loss(self, outcome: Outcome, label: Tensor) -> Tensor:
        """Return the loss of each row [B]; the label is an amount ≥ 0."""
        assert isinstance(outcome, AmountOutcome)
        positive = label > 0
        log_y = torch.where(positive, label, torch.ones_like(label)).log()
        density = (
            log_y
            + outcome.sigma.log()
            + 0.5 * math.log(2 * math.pi)
            + (log_y - outcome.mu).square() / (2 * outcome.sigma.square())
        )
        loss = torch.where(positive, density / self.rate, torch.zeros_like(density))
        return loss + cross_entropy(outcome, positive.to(label.dtype)) if self.own_p else loss


def _inverse_softplus(y: float) -> float:
    return y + math.log(-math.expm1(-y))
