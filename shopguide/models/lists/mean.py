"""The mean of a list's values."""

from typing import Self

from torch import Tensor

from shopguide.models.lists.encoder import ListEncoder


class Mean(ListEncoder):
    """Σ_l present_l · e_l / max(Σ_l present_l, 1)        B batch, L values, W units."""

    @classmethod
    def build(cls, width: int, length: int) -> Self:
        """Build; there is nothing to learn."""
        del width, length
        return cls()

    def forward(self, values: Tensor, present: Tensor, target: Tensor | None) -> Tensor:
        """Map embeddings [B, L, W] to their mean [B, W]."""
        del target
        total = (values * present.unsqueeze(-1)).sum(dim=1)
        return total / present.sum(dim=1, keepdim=True).clamp(min=1)
