"""Hard sharing: one bottom for all tasks."""

from typing import Self

from torch import Tensor

from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class SharedBottom(Architecture):
    """All T tasks read the same hidden layers.

        h_t(x) = MLP(x) for every t        B batch, D in_dim, H output_dim

    Source: Caruana, "Multitask Learning", Machine Learning 28, 1997.
    """

    def __init__(self, bottom: Bank, *, tasks: int) -> None:
        super().__init__()
        self.output_dim = bottom.output_dim
        self.tasks = tasks
        self.bottom = bottom

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with one perceptron of `hidden` layers."""
        return cls(Bank.of(model, 1, layout.in_dim, model.hidden), tasks=layout.tasks)

    def shared(self, x: Tensor) -> Tensor:
        """Map [B, D] to the bottom's output [B, 1, H]."""
        h: Tensor = self.bottom(x)
        return h

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Repeat the bottom's output for each task [B, T, H]."""
        del x
        return shared.expand(-1, self.tasks, -1)
