"""Soft sharing by stitches: each layer of a task mixes what the tasks' layers found."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.layout import Layout
from shopguide.spec.model import Model

_OWN = 0.9  # share of its own layer that a task starts with, from the paper's range


class CrossStitch(Architecture):
    """A column of layers per task, stitched together after every layer.

        h^l_t ← Σ_s α^l_ts · layer^l_s(h^{l−1}_s),   α^l [T, T] learnt, .9 on its diagonal at first

    B batch, D in_dim, T tasks, H output_dim. There is no shared representation but the input.

    Source: Misra et al., "Cross-stitch Networks for Multi-task Learning", CVPR 2016, §3. Here a
    stitch mixes whole layers instead of channels.
    """

    shares_representation = False

    def __init__(self, layers: Sequence[Bank], *, tasks: int) -> None:
        super().__init__()
        self.output_dim = layers[-1].output_dim
        self.layers = nn.ModuleList(layers)
        others = (1 - _OWN) / max(tasks - 1, 1)
        start = torch.full((tasks, tasks), others).fill_diagonal_(_OWN if tasks > 1 else 1.0)
        self.stitches = nn.Parameter(start.repeat(len(layers), 1, 1))  # [L, T, T]

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with a layer per width in `hidden`."""
        dims = [layout.in_dim, *model.hidden]
        layers = [
            Bank.of(model, layout.tasks, in_dim, [width], own_input=position > 0)
            for position, (in_dim, width) in enumerate(pairwise(dims))
        ]
        return cls(layers, tasks=layout.tasks)

    def shared(self, x: Tensor) -> Tensor:
        """Return the input [B, D]."""
        return x

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map [B, D] to [B, T, H]."""
        del x
        h = shared
        for layer, stitch in zip(self.layers, self.stitches.unbind(), strict=True):
            h = torch.einsum("ts,bsh->bth", stitch, layer(h))  # [B, T, H]
        return h
