"""One of several classes."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from shopguide.models.heads.head import EventOutcome, Head, LabelStatistics, Outcome, linear


@dataclass(frozen=True, slots=True)
class CategoryOutcome(Outcome):
    """Logarithm of each class's probability [B, C]."""

    log_probabilities: Tensor

    def expected(self) -> Tensor:
        """Return the probability of each class [B, C], Σ = 1."""
        return self.log_probabilities.exp()


class CategoryHead(Head):
    """Softmax over C classes; the label is a class's code 0 … C − 1.

    log p_c = z_c − log Σ_k exp z_k,  loss = −log p_label
    """

    label = "category"

    def __init__(self, in_dim: int, *, biases: list[float]) -> None:
        super().__init__()
        self.logits = linear(in_dim, biases)

    @classmethod
    def build(cls, in_dim: int, statistics: LabelStatistics, *, has_parent: bool) -> Self:
        """Start at the rates of the classes."""
        assert not has_parent, "a category is no stage of a funnel"
        return cls(in_dim, biases=[math.log(rate) for rate in statistics.class_rates])

    def forward(self, h: Tensor, parent: EventOutcome | None) -> CategoryOutcome:
        """Map a representation [B, H] to the classes' probabilities."""
        del parent
        return CategoryOutcome(self.logits(h).log_softmax(dim=-1))

    def loss(self, outcome: Outcome, label: Tensor) -> Tensor:
        """Return −log p of each row's class [B]."""
        assert isinstance(outcome, CategoryOutcome)
        chosen = torch.gather(outcome.log_probabilities, 1, label.long().unsqueeze(1))
        return -chosen.squeeze(1)
