"""What every architecture does: one representation per task from one shared input."""

from abc import ABC, abstractmethod
from typing import Self

from torch import Tensor, nn

from shopguide.spec.model import Model


class Architecture(nn.Module, ABC):
    """A map from the shared input to one representation per task.

    B batch, D in_dim, T tasks, H output_dim; all ≥ 1. The tasks meet in the *shared
    representation*: gradients that conflict there are what a balancer balances.
    """

    output_dim: int

    @classmethod
    @abstractmethod
    def build(cls, in_dim: int, tasks: int, model: Model) -> Self:
        """Build from the spec's model section, for an input of D columns and T tasks."""

    @abstractmethod
    def shared(self, x: Tensor) -> Tensor:
        """Map the input [B, D] to the representation that all tasks share [B, …]."""

    @abstractmethod
    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map the shared representation, and the input [B, D], to [B, T, H]."""

    def forward(self, x: Tensor) -> Tensor:
        """Map the input [B, D] to one representation per task [B, T, H]."""
        return self.per_task(self.shared(x), x)
