"""Money that is zero for most rows: whether, and how much."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from shopguide.models.heads.binary import cross_entropy
from shopguide.models.heads.head import EventOutcome, Head, LabelStatistics, Outcome, linear

MAX_LOG_MEAN = 20.0
"""Largest logarithm of the mean of a payment: 4.9e8 units."""


@dataclass(frozen=True, slots=True)
class AmountOutcome(EventOutcome):
    """Whether something is paid, and the logarithm of its mean given that [B]."""

    log_mean: Tensor

    def expected(self) -> Tensor:
        """Return p · E[y | y > 0] [B]."""
        return (self.log_p + self.log_mean.clamp(max=MAX_LOG_MEAN)).exp()


class AmountHead(Head):
    """p · E[y | y > 0]; kinds of it differ in how a payment is distributed.

        loss = [p is the head's own] · BCE(y > 0) + [y > 0] · payment loss / rate

    With a parent, p is the parent's, which has a loss of its own. The payment's loss counts on
    positive rows alone; dividing by their rate makes the mean over all rows the mean over positive
    ones, so that rare purchases do not mute it. p and the payment have separate optima: neither
    moves the other.
    """

    label = "amount"

    def __init__(
        self, in_dim: int, statistics: LabelStatistics, *, has_parent: bool, biases: list[float]
    ) -> None:
        super().__init__()
        self.rate = statistics.rate
        self.own_p = not has_parent
        logit = [math.log(self.rate / (1 - self.rate))] if self.own_p else []
        self.parameters_of_y = linear(in_dim, [*biases, *logit])

    @classmethod
    @abstractmethod
    def build(cls, in_dim: int, statistics: LabelStatistics, *, has_parent: bool) -> Self:
        """Start at the rate and at the moments of log y."""

    @abstractmethod
    def outcome(self, raw: Tensor, log_p: Tensor, log_q: Tensor) -> AmountOutcome:
        """Return the amount's distribution from the layer's outputs [B, ·]."""

    @abstractmethod
    def payment_loss(self, outcome: AmountOutcome, payment: Tensor) -> Tensor:
        """Return the loss of payments > 0 [B], before it is divided by their rate."""

    def forward(self, h: Tensor, parent: EventOutcome | None) -> AmountOutcome:
        """Map a representation [B, H] and the parent's distribution to the amount's."""
        raw = self.parameters_of_y(h)
        if self.own_p:
            return self.outcome(raw, logsigmoid(raw[:, -1]), logsigmoid(-raw[:, -1]))
        assert parent is not None
        return self.outcome(raw, parent.log_p, parent.log_q)

    def loss(self, outcome: Outcome, label: Tensor) -> Tensor:
        """Return the loss of each row [B]; the label is an amount ≥ 0."""
        assert isinstance(outcome, AmountOutcome)
        positive = label > 0
        payment = torch.where(positive, label, torch.ones_like(label))  # no logarithm of 0
        paid = self.payment_loss(outcome, payment) / self.rate
        loss = torch.where(positive, paid, torch.zeros_like(paid))
        return loss + cross_entropy(outcome, positive.to(label.dtype)) if self.own_p else loss
