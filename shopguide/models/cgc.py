"""Experts of a task's own beside common ones."""

from typing import Self

from torch import Tensor

from shopguide.models.architecture import Architecture
from shopguide.models.extraction import Extraction
from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class CGC(Architecture):
    """Customised gate control: a task mixes its own experts and the common ones, no other task's.

        h_t(x) = Σ_{e ∈ t and common} softmax(x·G_t)_e · MLP_e(x)

    B batch, D in_dim, T tasks, C common experts, H output_dim. The shared representation is the
    common experts' outputs [B, C, H].

    Source: Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model
    for Personalized Recommendations", RecSys 2020, §4.1.
    """

    def __init__(self, level: Extraction) -> None:
        super().__init__()
        self.output_dim = level.output_dim
        self.level = level

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with `task_experts` experts a task and `experts` common ones."""
        return cls(Extraction.build(layout.in_dim, layout.tasks, model, first=True))

    def shared(self, x: Tensor) -> Tensor:
        """Map [B, D] to the common experts' outputs [B, C, H]."""
        return self.level.common_outputs(self._states(x))

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Mix the common outputs [B, C, H] with those of the tasks' experts to [B, T, H]."""
        states = self._states(x)
        return self.level.mix(self.level.own_outputs(states), shared, states)

    def _states(self, x: Tensor) -> Tensor:
        return x.unsqueeze(1).expand(-1, self.level.tasks + 1, -1)  # all read the input
