"""A level of task experts and common experts, each task's gate mixing its own and the common."""

from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models.bank import Bank
from shopguide.spec.model import Model


def each_task(states: Tensor, experts: Bank) -> Tensor:
    """Return the input of each of a bank's T·E experts, from their tasks' states [B, T, D]."""
    if not experts.own_input:
        return states[:, 0]  # all alike
    return states.repeat_interleave(experts.members // states.shape[1], dim=1)


class Extraction(nn.Module):
    """T groups of experts of a task each, and one group common to all.

        h_t = Σ_{e ∈ t and common} softmax(s_t·G_t)_e · MLP_e(s_{group of e})

    B batch, T tasks, E experts a task, C common experts, D in_dim, H output_dim. The states
    s [B, T + 1, D] are the tasks' and, last, the common one.

    Args:
        own: the tasks' experts, T·E members; with inputs of their own above the first level.
        common: C members.
        in_dim: D.
        tasks: T.
    """

    def __init__(self, own: Bank, common: Bank, *, in_dim: int, tasks: int) -> None:
        super().__init__()
        self.tasks, self.output_dim = tasks, own.output_dim
        self.own, self.common = own, common
        self.each = own.members // tasks
        self.gates = nn.Parameter(torch.zeros(tasks, in_dim, self.each + common.members))

    @classmethod
    def build(cls, in_dim: int, tasks: int, model: Model, *, first: bool) -> Self:
        """Build with `task_experts` perceptrons a task and `experts` common ones.

        Args:
            in_dim: D.
            tasks: T.
            model: the spec's model section.
            first: all states are the same input.
        """
        members = tasks * model.task_experts
        own = Bank.of(model, members, in_dim, model.hidden, own_input=not first)
        common = Bank.of(model, model.experts, in_dim, model.hidden)
        return cls(own, common, in_dim=in_dim, tasks=tasks)

    def own_outputs(self, states: Tensor) -> Tensor:
        """Return what the tasks' experts make of their states [B, T, E, H]."""
        h: Tensor = self.own(each_task(states[:, : self.tasks], self.own))
        return h.reshape(-1, self.tasks, self.each, self.output_dim)

    def common_outputs(self, states: Tensor) -> Tensor:
        """Return what the common experts make of the common state [B, C, H]."""
        h: Tensor = self.common(states[:, self.tasks])
        return h

    def mix(self, own: Tensor, common: Tensor, states: Tensor) -> Tensor:
        """Mix each task's own experts [B, T, E, H] and the common ones [B, C, H] to [B, T, H]."""
        logits = torch.einsum("btd,tde->bte", states[:, : self.tasks], self.gates)
        gates = logits.softmax(dim=-1)  # [B, T, E + C], sums to 1
        from_own = torch.einsum("bte,bteh->bth", gates[..., : self.each], own)
        return from_own + torch.einsum("btc,bch->bth", gates[..., self.each :], common)
