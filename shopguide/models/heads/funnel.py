"""A stage of a funnel, supervised over all impressions."""

import math
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from shopguide.models.heads.binary import cross_entropy
from shopguide.models.heads.head import EventOutcome, Head, LabelStatistics, Outcome, linear


class FunnelHead(Head):
    """The stage's probability is its parent's times a conditional one, σ(z).

        log p = log p_parent + log σ(z)
        log q = log(q_parent + p_parent · σ(−z))        a sum of positives: no cancellation near 1

    Both stages are supervised over the entire space, so there is no bias from training the
    conditional on rows whose parent happened.

    Source: Ma et al., "Entire Space Multi-Task Model", SIGIR 2018, eq. 4. Here any depth, and in
    logarithms.
    """

    label = "binary"

    def __init__(self, in_dim: int, *, bias: float) -> None:
        super().__init__()
        self.logit = linear(in_dim, [bias])

    @classmethod
    def build(cls, in_dim: int, statistics: LabelStatistics, *, has_parent: bool) -> Self:
        """Start at the rate of the stage among rows whose parent happened."""
        assert has_parent, "a funnel stage has a parent"
        conditional = min(statistics.rate / statistics.parent_rate, 0.99)
        return cls(in_dim, bias=math.log(conditional / (1 - conditional)))

    def forward(self, h: Tensor, parent: EventOutcome | None) -> EventOutcome:
        """Map a representation [B, H] and the parent's distribution to the stage's."""
        assert parent is not None
        z = self.logit(h).squeeze(-1)
        return EventOutcome(
            log_p=parent.log_p + logsigmoid(z),
            log_q=torch.logaddexp(parent.log_q, parent.log_p + logsigmoid(-z)),
        )

    def loss(self, outcome: Outcome, label: Tensor) -> Tensor:
        """Return the cross-entropy of each row over the entire space [B]."""
        assert isinstance(outcome, EventOutcome)
        return cross_entropy(outcome, label)
