"""Learn how the tasks are related: a matrix that can be read after training."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.layout import Layout
from shopguide.models.tying import relation, trace_norm
from shopguide.spec.model import Model


class TaskRelation(Architecture):
    """A shared bottom, then a layer per task whose weights have a learnt task covariance Ω.

        h_t(x) = relu(MLP(x)·W_t),   loss + τ · min_Ω tr(Wᵀ·Ω⁻¹·W),   Ω ≥ 0, tr Ω = 1

    W [T, P] has a task's weights in a row; the minimum is at Ω = (W·Wᵀ)^½ / tr, and equals the
    squared trace norm of W, so that Ω is learnt with the weights and needs no steps of its own.
    The tasks start from equal weights (all related); the data drives them apart. B batch,
    D in_dim, T tasks, H output_dim, τ `tie_weight`.

    Source: Zhang and Yeung, UAI 2010; in a deep network: Long et al., "Learning Multiple Tasks
    with Multilinear Relationship Networks", NeurIPS 2017. Here one covariance, of the tasks.
    """

    def __init__(self, bottom: Bank, bank: Bank, *, weight: float) -> None:
        super().__init__()
        self.output_dim = bank.output_dim
        self.bottom, self.bank = bottom, bank
        self.weight = weight
        bank.start_equal()

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with all layers of `hidden` but the last shared, and the last one per task."""
        bottom = Bank.of(model, 1, layout.in_dim, model.hidden[:-1])
        bank = Bank.of(model, layout.tasks, bottom.output_dim, model.hidden[-1:])
        return cls(bottom, bank, weight=model.tie_weight)

    def shared(self, x: Tensor) -> Tensor:
        """Map [B, D] to the bottom's output [B, ·]."""
        h: Tensor = self.bottom(x)
        return h.squeeze(1)

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map [B, ·] to [B, T, H]."""
        del x
        h: Tensor = self.bank(shared)
        return h

    def regularisation(self) -> Tensor:
        """Return τ · ‖W‖²_*."""
        return self.weight * trace_norm(self.bank.weights[0]).square()

    def relations(self) -> NDArray[np.float64]:
        """Return the correlation of the tasks under Ω [T, T], in their order; 1 is alike.

        Its diagonal is 1, and it is symmetric.
        """
        omega = relation(self.bank.weights[0].detach().double())
        scale = omega.diagonal().sqrt()
        found: NDArray[np.float64] = (omega / scale / scale[:, None]).numpy()
        return found
