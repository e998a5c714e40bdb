"""A label that is 0 or 1."""

import math
from typing import Self

from torch import Tensor
from torch.nn.functional import logsigmoid

from shopguide.models.heads.head import EventOutcome, Head, LabelStatistics, Outcome, linear


class BinaryHead(Head):
    """Binary cross-entropy on a logit z.

    log p = log σ(z),  log q = log σ(−z),  loss = −y · log p − (1 − y) · log q
    """

    label = "binary"

    def __init__(self, in_dim: int, *, bias: float) -> None:
        super().__init__()
        self.logit = linear(in_dim, [bias])

    @classmethod
    def build(cls, in_dim: int, statistics: LabelStatistics, *, has_parent: bool) -> Self:
        """Start at the label's rate."""
        del has_parent
        return cls(in_dim, bias=math.log(statistics.rate / (1 - statistics.rate)))

    def forward(self, h: Tensor, parent: EventOutcome | None) -> EventOutcome:
        """Map a representation [B, H] to the label's distribution."""
        del parent
        z = self.logit(h).squeeze(-1)
        return EventOutcome(log_p=logsigmoid(z), log_q=logsigmoid(-z))

    def loss(self, outcome: Outcome, label: Tensor) -> Tensor:
        """Return the cross-entropy of each row [B]."""
        assert isinstance(outcome, EventOutcome)
        return cross_entropy(outcome, label)


def cross_entropy(outcome: EventOutcome, label: Tensor) -> Tensor:
    """Return −y · log p − (1 − y) · log q of each row [B], y in [0, 1]."""
    return -label * outcome.log_p - (1 - label) * outcome.log_q
