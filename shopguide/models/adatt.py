"""Tasks that fuse one another's experts, and keep a way of their own beside it."""

from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.extraction import each_task
from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class _Fusion(nn.Module):
    """A level: the tasks' experts, a gate over all of them, and a mix of each task's own."""

    def __init__(self, experts: Bank, *, in_dim: int, tasks: int) -> None:
        super().__init__()
        self.experts, self.tasks = experts, tasks
        self.each = experts.members // tasks
        self.gates = nn.Parameter(torch.zeros(tasks, in_dim, experts.members))
        self.native = nn.Parameter(torch.full((tasks, self.each), 1 / self.each))

    def forward(self, states: Tensor) -> Tensor:
        """Map the tasks' states [B, T, D] to [B, T, H]."""
        h = self.experts(each_task(states, self.experts))  # [B, T·E, H]
        gates = torch.einsum("btd,tde->bte", states, self.gates).softmax(dim=-1)
        fused = torch.einsum("bte,beh->bth", gates, h)
        own = h.unflatten(1, (self.tasks, self.each))  # [B, T, E, H]
        return fused + torch.einsum("te,bteh->bth", self.native, own)


class AdaTT(Architecture):
    """Adaptive task-to-task fusion, level by level.

        h^l_t = Σ_e softmax(h^{l−1}_t·G_t)_e · MLP_e + Σ_{e ∈ t} v_te · MLP_e,   h^0_t = x

    e runs over the experts of all tasks, each reading its own task's state; the second sum is the
    residual that keeps a task's own knowledge. B batch, D in_dim, T tasks, H output_dim. The
    shared representation is the last level's input [B, T, ·], which every task reads.

    Source: Li et al., "AdaTT: Adaptive Task-to-Task Fusion Network for Multitask Learning in
    Recommendations", KDD 2023, §3 (AdaTT-sp: no common units).
    """

    def __init__(self, levels: list[_Fusion]) -> None:
        super().__init__()
        self.output_dim, self.tasks = levels[-1].experts.output_dim, levels[-1].tasks
        self.below, self.last = nn.ModuleList(levels[:-1]), levels[-1]

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build `levels` levels of `task_experts` experts a task."""
        tasks, members = layout.tasks, layout.tasks * model.task_experts
        in_dims = [layout.in_dim] + [model.hidden[-1]] * (model.levels - 1)
        banks = [
            Bank.of(model, members, in_dim, model.hidden, own_input=position > 0)
            for position, in_dim in enumerate(in_dims)
        ]
        fusions = zip(banks, in_dims, strict=True)
        return cls([_Fusion(bank, in_dim=d, tasks=tasks) for bank, d in fusions])

    def shared(self, x: Tensor) -> Tensor:
        """Map [B, D] to the states that enter the last level [B, T, ·]."""
        states = x.unsqueeze(1).expand(-1, self.tasks, -1)
        for level in self.below:
            states = level(states)
        return states

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map the last level's input [B, T, ·] to [B, T, H]."""
        del x
        h: Tensor = self.last(shared)
        return h
