"""Every task on its own: the architecture that says whether sharing helps."""

from typing import Self

from torch import Tensor

from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class SingleTask(Architecture):
    """Each task has all layers to itself; the tasks share the embedding tables alone.

        h_t(x) = MLP_t(x)

    There is no shared representation but the input: B batch, D in_dim, T tasks, H output_dim.
    """

    shares_representation = False

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        self.output_dim = bank.output_dim
        self.bank = bank

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with one perceptron of `hidden` layers per task."""
        return cls(Bank.of(model, layout.tasks, layout.in_dim, model.hidden))

    def shared(self, x: Tensor) -> Tensor:
        """Return the input [B, D]."""
        return x

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map [B, D] to [B, T, H]."""
        del x
        h: Tensor = self.bank(shared)
        return h
