"""What every architecture does: one representation per task from one shared input."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class Architecture(nn.Module, ABC):
    """A map from the shared input to one representation per task.

    B batch, D in_dim, T tasks, H output_dim; all ≥ 1. The tasks meet in the *shared
    representation*: gradients that conflict there are what a balancer balances.
    """

    output_dim: int

    shares_representation: ClassVar[bool] = True
    """False where each task has layers of its own from the input on: `shared` is then the input,
    and there is nothing behind it whose gradients a balancer could reconcile."""

    @classmethod
    @abstractmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build from the spec's model section, for an input of D columns and T tasks.

        Raises:
            ShopguideError: the spec's tasks or inputs are not what this architecture is for.
        """

    @classmethod
    def embedding_sets(cls, tasks: int) -> int:
        """Return S, the embeddings of its own that each categorical value has: 1, as a rule.

        With S > 1 the input is [B, S, D] instead of [B, D].
        """
        del tasks
        return 1

    @abstractmethod
    def shared(self, x: Tensor) -> Tensor:
        """Map the input [B, D] to the representation that all tasks share [B, …]."""

    @abstractmethod
    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map the shared representation, and the input [B, D], to [B, T, H]."""

    def forward(self, x: Tensor) -> Tensor:
        """Map the input [B, D] to one representation per task [B, T, H]."""
        return self.per_task(self.shared(x), x)

    def regularisation(self) -> Tensor:
        """Return what is added to the balanced loss in training, ≥ 0: nothing, as a rule."""
        return torch.zeros(())

    def relations(self) -> NDArray[np.float64] | None:
        """Return how alike the tasks were found [T, T], in their order, if that is learnt."""
        return None
