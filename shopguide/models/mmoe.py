"""Soft sharing: experts that every task mixes for itself."""

from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class MMoE(Architecture):
    """All T tasks share E experts; each task mixes them with a gate of its own.

        h_t(x) = Σ_e softmax(x·G_t)_e · MLP_e(x)        B batch, D in_dim, H output_dim

    Source: Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate
    Mixture-of-Experts", KDD 2018, §4.2. E = 1 is a shared bottom.
    """

    def __init__(self, experts: Bank, *, in_dim: int, tasks: int) -> None:
        super().__init__()
        self.output_dim = experts.output_dim
        self.experts = experts
        self.gates = nn.Parameter(torch.zeros(tasks, in_dim, experts.members))  # all start equal

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with `experts` perceptrons of `hidden` layers."""
        experts = Bank.of(model, model.experts, layout.in_dim, model.hidden)
        return cls(experts, in_dim=layout.in_dim, tasks=layout.tasks)

    def shared(self, x: Tensor) -> Tensor:
        """Map [B, D] to the experts' outputs [B, E, H]."""
        h: Tensor = self.experts(x)
        return h

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Mix the experts' outputs [B, E, H] by gates of the input [B, D] to [B, T, H]."""
        gates = torch.einsum("bd,tde->bte", x, self.gates).softmax(dim=-1)  # [B, T, E], Σ_e = 1
        return torch.einsum("bte,beh->bth", gates, shared)  # [B, T, H]
