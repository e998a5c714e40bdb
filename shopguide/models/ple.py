"""Levels of common and task experts, one above the other."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models.architecture import Architecture
from shopguide.models.extraction import Extraction
from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class PLE(Architecture):
    """Progressive layered extraction: CGC levels, with a common state carried along.

        s^0_g = x;   s^l_t = mix of t's and the common experts;   s^l_common = mix of all experts
        h_t = s^L_t

    B batch, D in_dim, T tasks, L levels, H output_dim. The shared representation is the last
    level's input [B, T + 1, ·]: below it every task's experts serve all tasks.

    Source: Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model
    for Personalized Recommendations", RecSys 2020, §4.2. L = 1 is CGC.
    """

    def __init__(self, levels: Sequence[Extraction], in_dims: Sequence[int]) -> None:
        super().__init__()
        self.output_dim = levels[-1].output_dim
        self.levels = nn.ModuleList(levels)
        experts = [level.own.members + level.common.members for level in levels[:-1]]
        self.common_gates = nn.ParameterList(
            nn.Parameter(torch.zeros(d, e)) for d, e in zip(in_dims[:-1], experts, strict=True)
        )

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build `levels` levels of `task_experts` experts a task and `experts` common ones."""
        in_dims = [layout.in_dim] + [model.hidden[-1]] * (model.levels - 1)
        levels = [
            Extraction.build(in_dim, layout.tasks, model, first=position == 0)
            for position, in_dim in enumerate(in_dims)
        ]
        return cls(levels, in_dims)

    def shared(self, x: Tensor) -> Tensor:
        """Map [B, D] to the states that enter the last level [B, T + 1, ·]."""
        last = self._level(-1)
        states = x.unsqueeze(1).expand(-1, last.tasks + 1, -1)
        for position, gate in enumerate(self.common_gates):
            level = self._level(position)
            own, common = level.own_outputs(states), level.common_outputs(states)
            weights = (states[:, -1] @ gate).softmax(dim=-1)  # [B, T·E + C]
            everything = torch.cat([own.flatten(1, 2), common], dim=1)  # [B, T·E + C, H]
            carried = torch.einsum("be,beh->bh", weights, everything)
            states = torch.cat([level.mix(own, common, states), carried.unsqueeze(1)], dim=1)
        return states

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map the last level's input [B, T + 1, ·] to [B, T, H]."""
        del x
        last = self._level(-1)
        return last.mix(last.own_outputs(shared), last.common_outputs(shared), shared)

    def _level(self, position: int) -> Extraction:
        level = self.levels[position]
        assert isinstance(level, Extraction)
        return level
