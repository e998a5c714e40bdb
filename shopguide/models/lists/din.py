"""What a user did before, weighted by how it bears on what is shown."""

from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models.lists.encoder import ListEncoder

_HIDDEN = 36  # of the paper


class DIN(ListEncoder):
    """Target attention: each value counts by its likeness to the impression's.

        h = Σ_l a_l · e_l,   a_l = MLP(e_l ⊕ t ⊕ (e_l − t) ⊕ (e_l ⊙ t))

    The weights are not normalised, so that many like values count for more than one. t is the
    embedding of the impression's own value. B batch, L values, W units.

    Source: Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018, §4.3.
    Here a ReLU in the place of Dice, and the difference and product in that of the outer product.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(4 * width, _HIDDEN)
        self.weight = nn.Linear(_HIDDEN, 1)

    @classmethod
    def build(cls, width: int, length: int) -> Self:
        """Build for embeddings of W units."""
        del length
        return cls(width)

    def forward(self, values: Tensor, present: Tensor, target: Tensor | None) -> Tensor:
        """Map embeddings [B, L, W] to their sum weighted for the target [B, W]."""
        assert target is not None, "the spec asks for `of`"
        t = target.unsqueeze(1).expand_as(values)
        pairs = torch.cat([values, t, values - t, values * t], dim=-1)  # [B, L, 4·W]
        weights = self.weight(self.hidden(pairs).relu()).squeeze(-1) * present  # [B, L]
        return torch.einsum("bl,blw->bw", weights, values)
