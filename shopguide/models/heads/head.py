"""What every head does."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from torch import Tensor, nn
from torch.nn.functional import logsigmoid


@dataclass(frozen=True, slots=True)
class LabelStatistics:
    """What the training labels of a task say before any input is read; heads start from it.

    Args:
        rate: weighted share of rows with a positive label, in (0, 1).
        parent_rate: the same of the task's parent; 1 without one.
        log_mean: mean of log y over positive rows (amounts).
        log_std: standard deviation of log y over positive rows (amounts), > 0.
        class_rates: weighted share of each class, each > 0 (categories).
    """

    rate: float
    parent_rate: float = 1.0
    log_mean: float = 0.0
    log_std: float = 1.0
    class_rates: tuple[float, ...] = ()


class Outcome(ABC):
    """Distribution of a label, given the inputs."""

    __slots__ = ()

    @abstractmethod
    def expected(self) -> Tensor:
        """Return E[y] [B], or the probability of each class [B, C]."""


@dataclass(frozen=True, slots=True)
class EventOutcome(Outcome):
    """Whether something happens, in logarithms, so that a long funnel does not underflow.

    Args:
        log_p: log P(y > 0) over the entire space [B].
        log_q: log P(y = 0) [B].
    """

    log_p: Tensor
    log_q: Tensor

    def expected(self) -> Tensor:
        """Return P(y > 0) [B]."""
        return self.log_p.exp()

    def shifted(self, offset: Tensor | float) -> "EventOutcome":
        """Return the outcome with the logit moved by an offset, [B] or one for all rows."""
        z = self.log_p - self.log_q + offset
        return EventOutcome(log_p=logsigmoid(z), log_q=logsigmoid(-z))


class Head(nn.Module, ABC):
    """A task's likelihood. B batch, H in_dim."""

    label: ClassVar[Literal["binary", "amount", "category"]]
    """What the label is: 0 or 1, an amount ≥ 0, or the code of a class."""

    @classmethod
    @abstractmethod
    def build(cls, in_dim: int, statistics: LabelStatistics, *, has_parent: bool) -> Self:
        """Build a head that starts by predicting the statistics for every row."""

    @abstractmethod
    def forward(self, h: Tensor, parent: EventOutcome | None) -> Outcome:
        """Map a representation [B, H], and the parent's outcome, to the task's outcome."""

    @abstractmethod
    def loss(self, outcome: Outcome, label: Tensor) -> Tensor:
        """Return the negative log-likelihood of each row's label [B]."""


def linear(in_dim: int, biases: list[float]) -> nn.Linear:
    """Return a linear layer that starts small around the given biases."""
    layer = nn.Linear(in_dim, len(biases))
    nn.init.normal_(layer.weight, std=0.01)
    for position, bias in enumerate(biases):
        layer.bias.data[position] = bias
    return layer
