"""What a user did before, in its order."""

from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models.lists.encoder import ListEncoder

_FAR = -1e9  # a score that softmax makes 0, and that no exporter trips over


class Transformer(ListEncoder):
    """One block of causal self-attention; the newest value's state stands for the list.

        u = e + position;   u ← u + softmax(mask(Q·Kᵀ / √W))·V of norm(u)
        h = norm(u + relu(norm(u)·W_1)·W_2) at the newest value

    A value attends to itself and to older ones. B batch, L values, W units.

    Source: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018, §3. Here one
    head and one block, normalised before each layer; it encodes a list instead of ranking items.
    """

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.position = nn.Parameter(0.02 * torch.randn(length, width))
        self.before_attention, self.before_layers = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.Linear(width, 3 * width, bias=False)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        self.after = nn.LayerNorm(width)
        newest_first = torch.arange(length)
        self.older = nn.Buffer(newest_first[:, None] <= newest_first, persistent=False)  # [L, L]

    @classmethod
    def build(cls, width: int, length: int) -> Self:
        """Build for embeddings of W units and L positions."""
        return cls(width, length)

    def forward(self, values: Tensor, present: Tensor, target: Tensor | None) -> Tensor:
        """Map embeddings [B, L, W], newest first, to the newest one's state [B, W]."""
        del target
        u = values + self.position
        query, key, value = self.attention(self.before_attention(u)).chunk(3, dim=-1)
        scores = torch.einsum("bqw,bkw->bqk", query, key) / values.shape[-1] ** 0.5
        seen = self.older & (present > 0).unsqueeze(1)  # [B, L, L]
        weights = scores.masked_fill(~seen, _FAR).softmax(dim=-1)
        u = u + torch.einsum("bqk,bkw->bqw", weights, value)
        newest = u[:, 0]
        newest = newest + self.outer(self.inner(self.before_layers(newest)).relu())
        found: Tensor = self.after(newest) * present[:, :1]  # the newest is there, or none is
        return found
