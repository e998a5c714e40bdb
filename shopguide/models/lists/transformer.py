"""What a user did before, in its order."""

from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models.lists.encoder import ListEncoder

_FAR = -1e9  # a score that softmax makes 0, and that no exporter trips over


class Transformer(ListEncoder):
    """One block of self-attention; the newest value's state stands for the list.

        u = e + position;   u_0 ← u_0 + Σ_l softmax(q_0·k_l / √W)_l · v_l,   q, k, v of norm(u)
        h = norm(u_0 + relu(norm(u_0)·W_1)·W_2)

    0 is the newest value; it attends to itself and to all older ones, so that nothing has to be
    masked but what is not there, and a list costs L products instead of L². B batch, L values,
    W units.

    Source: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018, §3. Here one
    head and one block, normalised before each layer; it encodes a list instead of ranking items.
    """

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.position = nn.Parameter(0.02 * torch.randn(length, width))
        self.before_attention, self.before_layers = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.keys_and_values = nn.Linear(width, 2 * width, bias=False)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        self.after = nn.LayerNorm(width)

    @classmethod
    def build(cls, width: int, length: int) -> Self:
        """Build for embeddings of W units and L positions."""
        return cls(width, length)

    def forward(self, values: Tensor, present: Tensor, target: Tensor | None) -> Tensor:
        """Map embeddings [B, L, W], newest first, to the newest one's state [B, W]."""
        del target
        u = values + self.position
        normed = self.before_attention(u)
        keys, seen = self.keys_and_values(normed).chunk(2, dim=-1)
        scores = torch.einsum("bw,blw->bl", self.query(normed[:, 0]), keys) / u.shape[-1] ** 0.5
        weights = scores.masked_fill(present == 0, _FAR).softmax(dim=-1)  # [B, L]
        newest = u[:, 0] + torch.einsum("bl,blw->bw", weights, seen)
        newest = newest + self.outer(self.inner(self.before_layers(newest)).relu())
        found: Tensor = self.after(newest) * present[:, :1]  # the newest is there, or none is
        return found
