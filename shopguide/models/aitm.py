"""A funnel whose earlier stage hands over what it learnt."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class AITM(Architecture):
    """Adaptive information transfer: a stage attends to itself and to the stage before it.

        z_t = Σ_{u ∈ {p_t, q_t}} softmax(⟨u·K, u·Q⟩ / √H) · u·V,   p_t = relu(z_parent·I_t + b_t)
        q_t = MLP_t(x);   z_t = q_t for a task after none

    That a stage is no likelier than its parent, which the paper asks for by a penalty, holds here
    by the funnel head. B batch, D in_dim, T tasks, H output_dim. The shared representation is the
    input, as in the paper.

    Source: Xi et al., "Modeling the Sequential Dependence among Audience Multi-step Conversions
    with Multi-task Learning in Targeted Display Advertising", KDD 2021, §3.2.
    """

    def __init__(self, bank: Bank, parents: Mapping[str, str | None]) -> None:
        super().__init__()
        h = self.output_dim = bank.output_dim
        self.bank, self.parents = bank, dict(parents)
        stages = [name for name, parent in parents.items() if parent is not None]
        self.transfer = nn.ModuleDict({name: nn.Linear(h, h) for name in stages})
        for layer in self.transfer.values():
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # no unit is dead from the start
        self.attention = nn.ModuleDict({name: nn.Linear(h, 3 * h, bias=False) for name in stages})

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with one perceptron of `hidden` layers per task."""
        return cls(Bank.of(model, layout.tasks, layout.in_dim, model.hidden), layout.parents)

    def shared(self, x: Tensor) -> Tensor:
        """Return the input [B, D]."""
        return x

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map [B, D] to [B, T, H], a stage after its parent."""
        del x
        q = self.bank(shared)  # [B, T, H]
        z: dict[str, Tensor] = {}
        for position, (name, parent) in enumerate(self.parents.items()):
            own = q[:, position]
            z[name] = own if parent is None else self._receive(name, z[parent], own)
        return torch.stack(list(z.values()), dim=1)

    def _receive(self, name: str, earlier: Tensor, own: Tensor) -> Tensor:
        pair = torch.stack([self.transfer[name](earlier).relu(), own], dim=1)  # [B, 2, H]
        projected: Tensor = self.attention[name](pair)
        key, query, value = projected.chunk(3, dim=-1)
        scores = (key * query).sum(dim=-1, keepdim=True) / self.output_dim**0.5
        received: Tensor = (scores.softmax(dim=1) * value).sum(dim=1)  # [B, H]
        return received
