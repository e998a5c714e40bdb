"""Every task on its own: the architecture that says whether sharing helps."""

from typing import Self

from torch import Tensor

from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.spec.model import Model


class SingleTask(Architecture):
    """Each task has all layers to itself; the tasks share the embedding tables alone.

        h_t(x) = MLP_t(x)

    The shared representation is the input: B batch, D in_dim, T tasks, H output_dim.
    """

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        self.output_dim = bank.output_dim
        self.bank = bank

    @classmethod
    def build(cls, in_dim: int, tasks: int, model: Model) -> Self:
        """Build with one perceptron of `hidden` layers per task."""
        bank = Bank(tasks, in_dim, model.hidden, dropout=model.dropout, batch_norm=model.batch_norm)
        return cls(bank)

    def shared(self, x: Tensor) -> Tensor:
        """Return the input [B, D]."""
        return x

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map [B, D] to [B, T, H]."""
        del x
        h: Tensor = self.bank(shared)
        return h
