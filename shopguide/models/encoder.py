"""From codes and numbers to the one input that the architecture reads."""

import math
from itertools import accumulate

import torch
from torch import Tensor, nn

from shopguide.bundle.preprocessing import MISSING, UNKNOWN
from shopguide.models.inputs import Inputs

LARGE = 1000
"""Codes above which a categorical is large: ids, as a rule."""

_INITIAL_SCALE = 0.05


def embedding_width(codes: int, largest: int) -> int:
    """Return the units of an embedding: min(largest, 1.6 · codes^0.56) in steps of 4.

    Args:
        codes: values that the embedding tells apart, missing and unknown included.
        largest: most units, at least 1.

    Source: the rule of thumb of the fastai library, v1; here rounded up to a multiple of 4.
    """
    thumb = 1.6 * float(codes) ** 0.56
    return int(min(largest, 4 * math.ceil(thumb / 4)))


class Encoder(nn.Module):
    """An embedding per categorical, beside the numbers.

    B batch, C categoricals, N numbers, S embedding sets, D output_dim.

    Args:
        inputs: the C categoricals and the N numbers.
        embedding_dim: most units of an embedding.
        dropout: share of embedding units dropped in training.
        unknown_rate: share of the values of a large categorical that are shown as unknown in
            training: new users and items meet an embedding that was trained, and ids are not
            learnt by heart.
        sets: S, embeddings of its own that each value has.
    """

    def __init__(
        self,
        inputs: Inputs,
        *,
        embedding_dim: int,
        dropout: float,
        unknown_rate: float,
        sets: int = 1,
    ) -> None:
        super().__init__()
        self.sets = sets
        codes = [column.codes for column in inputs.coded]
        widths = [embedding_width(size, embedding_dim) for size in codes]
        self.tables = nn.ModuleList(
            nn.Embedding(size, sets * width) for size, width in zip(codes, widths, strict=True)
        )
        for table in self.tables:
            nn.init.normal_(table.weight, std=_INITIAL_SCALE)  # type: ignore[arg-type]
        self.dropout = nn.Dropout(dropout)
        self.unknown_rates = nn.Buffer(
            torch.tensor([unknown_rate if size > LARGE else 0.0 for size in codes]),
            persistent=False,
        )
        names = [column.name for column in inputs.coded]
        self.columns = _places([*names, *inputs.numbers], [*widths, *[1] * len(inputs.numbers)])
        self.output_dim = sum(widths) + len(inputs.numbers)

    def forward(self, categorical: Tensor, numeric: Tensor) -> Tensor:
        """Map codes [B, C] and numbers [B, N] to [B, D], or [B, S, D] with S > 1."""
        if self.training:
            categorical = self._hide_some(categorical)
        embedded = [table(categorical[:, c]) for c, table in enumerate(self.tables)]
        if self.sets > 1:
            embedded = [e.unflatten(1, (self.sets, -1)) for e in embedded]  # [B, S, ·]
            numeric = numeric.unsqueeze(1).expand(-1, self.sets, -1)
        if not embedded:
            return numeric
        return torch.cat([self.dropout(torch.cat(embedded, dim=-1)), numeric], dim=-1)

    def _hide_some(self, categorical: Tensor) -> Tensor:
        hidden = torch.rand(categorical.shape) < self.unknown_rates
        return categorical.masked_fill(hidden & (categorical != MISSING), UNKNOWN)


def _places(names: list[str], widths: list[int]) -> dict[str, slice]:
    ends = list(accumulate(widths))
    return {
        name: slice(end - width, end) for name, width, end in zip(names, widths, ends, strict=True)
    }
