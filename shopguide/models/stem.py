"""Embeddings of a task's own beside common ones."""

from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class STEM(Architecture):
    """Each categorical value has an embedding per task and a common one, and so have the experts.

        h_t = Σ_{e ∈ t and common} g_te · MLP_e(x_{group of e}) + Σ_{other e} g_te · stop(MLP_e(…))
        g_t = softmax(x_t·G_t)

    All experts pass forward, a task's own and the common ones alone are taught by its loss
    ("all forward, task-specific backward"): an item may mean different things to two tasks. The
    input is [B, T + 1, D], the common embeddings last. B batch, D in_dim, T tasks, H output_dim.
    There is no shared representation but the common embeddings.

    Source: Su et al., "STEM: Unleashing the Power of Embeddings for Multi-task Recommendation",
    AAAI 2024, §4. Here one level.
    """

    shares_representation = False

    def __init__(self, experts: Bank, *, in_dim: int, tasks: int, common: int) -> None:
        super().__init__()
        self.output_dim = experts.output_dim
        self.tasks, self.common = tasks, common
        self.each = (experts.members - common) // tasks
        self.experts = experts
        self.gates = nn.Parameter(torch.zeros(tasks, in_dim, experts.members))
        group = torch.arange(tasks).repeat_interleave(self.each)
        own = torch.cat([group, torch.full((common,), -1)])  # [M], −1: common
        mine = (own == torch.arange(tasks)[:, None]) | (own == -1)
        self.taught = nn.Buffer(mine.float(), persistent=False)  # [T, M]

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with `task_experts` experts a task and `experts` common ones."""
        members = layout.tasks * model.task_experts + model.experts
        bank = Bank.of(model, members, layout.in_dim, model.hidden, own_input=True)
        return cls(bank, in_dim=layout.in_dim, tasks=layout.tasks, common=model.experts)

    @classmethod
    def embedding_sets(cls, tasks: int) -> int:
        """Return T + 1: one per task, and the common one."""
        return tasks + 1

    def shared(self, x: Tensor) -> Tensor:
        """Return the input [B, T + 1, D]."""
        return x

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map [B, T + 1, D] to [B, T, H]."""
        del x
        own = shared[:, :-1].repeat_interleave(self.each, dim=1)
        common = shared[:, -1:].expand(-1, self.common, -1)
        h = self.experts(torch.cat([own, common], dim=1))  # [B, M, H]
        gates = torch.einsum("btd,tdm->btm", shared[:, :-1], self.gates).softmax(dim=-1)
        taught = torch.einsum("btm,bmh->bth", gates * self.taught, h)
        return taught + torch.einsum("btm,bmh->bth", gates * (1 - self.taught), h.detach())
