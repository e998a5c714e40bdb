"""Soft sharing by a penalty: separate layers that are kept near one another."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.layout import Layout
from shopguide.models.tying import deviation, trace_norm
from shopguide.spec.model import Model

_PENALTIES: dict[str, Callable[[Tensor], Tensor]] = {"l2": deviation, "trace_norm": trace_norm}


class SoftSharing(Architecture):
    """Each task has all layers to itself, and pays for weights that differ from the others'.

        h_t(x) = MLP_t(x),   loss + τ · Σ_l Ω(W^l_1 … W^l_T)
        l2: Ω = Σ_t ‖W_t − W̄‖²        trace_norm: Ω = ‖(vec W_1 … vec W_T)‖_*

    All tasks start from the same weights: units of the same place can only be compared when they
    began as the same unit. B batch, D in_dim, T tasks, H output_dim, τ `tie_weight`. There is no
    shared representation but the input.

    Source: Duong et al., "Low Resource Dependency Parsing: Cross-lingual Parameter Sharing in a
    Neural Network Parser", ACL 2015 (l2); Yang and Hospedales, 2017 (trace norm).
    """

    shares_representation = False

    def __init__(self, bank: Bank, *, penalty: str, weight: float) -> None:
        super().__init__()
        self.output_dim = bank.output_dim
        self.bank = bank
        self.penalty, self.weight = _PENALTIES[penalty], weight
        bank.start_equal()

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with one perceptron of `hidden` layers per task, tied by `tie`."""
        bank = Bank.of(model, layout.tasks, layout.in_dim, model.hidden)
        return cls(bank, penalty=model.tie, weight=model.tie_weight)

    def shared(self, x: Tensor) -> Tensor:
        """Return the input [B, D]."""
        return x

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map [B, D] to [B, T, H]."""
        del x
        h: Tensor = self.bank(shared)
        return h

    def regularisation(self) -> Tensor:
        """Return τ · Σ_l Ω(W^l)."""
        return self.weight * torch.stack([self.penalty(w) for w in self.bank.weights]).sum()
