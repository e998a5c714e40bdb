"""From codes and numbers to the one input that the architecture reads."""

import math
from itertools import accumulate

import torch
from torch import Tensor, nn

from shopguide.bundle.preprocessing import MISSING, UNKNOWN
from shopguide.models.inputs import CodedInput, Inputs
from shopguide.models.lists import LIST_ENCODERS

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
    """An embedding per categorical, an encoded list per list, beside the numbers.

    B batch, C columns of codes, N numbers, S embedding sets, D output_dim.

    Args:
        inputs: the C columns of codes and the N numbers.
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
        self.sets, self.inputs = sets, inputs.served
        widths = {c.name: c.dim or embedding_width(c.codes, embedding_dim) for c in self.inputs}
        widths |= {c.name: widths[c.of] for c in self.inputs if c.of is not None}
        own = [c for c in self.inputs if c.of is None]
        self.tables = nn.ModuleList(nn.Embedding(c.codes, sets * widths[c.name]) for c in own)
        for table in self.tables:
            nn.init.normal_(table.weight, std=_INITIAL_SCALE)  # type: ignore[arg-type]
        place = {column.name: position for position, column in enumerate(own)}
        self.table_of = [place[column.of or column.name] for column in self.inputs]
        self.lists = nn.ModuleDict(
            {
                c.name: LIST_ENCODERS[c.encoder].build(widths[c.name], c.length)
                for c in self.inputs
                if c.encoder is not None
            }
        )
        self.dropout = nn.Dropout(dropout)
        rates = [
            unknown_rate if c.codes > LARGE else 0.0 for c in self.inputs for _ in range(c.length)
        ]
        self.code_width = len(rates)
        self.unknown_rates = nn.Buffer(torch.tensor(rates), persistent=False)
        self.columns = _places({**widths, **dict.fromkeys(inputs.numbers, 1)})
        self.output_dim = sum(widths.values()) + len(inputs.numbers)

    def forward(self, categorical: Tensor, numeric: Tensor) -> Tensor:
        """Map codes [B, C] and numbers [B, N] to [B, D], or [B, S, D] with S > 1.

        Columns of codes beyond C, those of training alone, are not looked at.
        """
        categorical = categorical[:, : self.code_width]
        if self.training:
            categorical = self._hide_some(categorical)
        if self.sets > 1:
            numeric = numeric.unsqueeze(1).expand(-1, self.sets, -1)
        if not self.inputs:
            return numeric
        embedded = self._embed(categorical)
        return torch.cat([self.dropout(torch.cat(embedded, dim=-1)), numeric], dim=-1)

    def _embed(self, categorical: Tensor) -> list[Tensor]:
        found: dict[str, Tensor] = {}  # [B, W], or [B, S, W]
        start = 0
        for column, position in zip(self.inputs, self.table_of, strict=True):
            codes = categorical[:, start : start + column.length]
            start += column.length
            values = self.tables[position](codes)  # [B, L, S·W]
            if self.sets > 1:
                values = values.unflatten(2, (self.sets, -1)).movedim(2, 1)  # [B, S, L, W]
            if column.encoder is None:
                found[column.name] = values.squeeze(-2)
            else:
                found[column.name] = self._encode(column, codes, values, found)
        return list(found.values())

    def _encode(
        self, column: CodedInput, codes: Tensor, values: Tensor, found: dict[str, Tensor]
    ) -> Tensor:
        present = (codes != MISSING).to(values.dtype)  # [B, L]
        target = found[column.of] if column.of is not None else None
        if self.sets == 1:
            encoded: Tensor = self.lists[column.name](values, present, target)
            return encoded
        sets = self.sets  # each set is a row of its own
        encoded = self.lists[column.name](
            values.flatten(0, 1),
            present.repeat_interleave(sets, dim=0),
            None if target is None else target.flatten(0, 1),
        )
        return encoded.reshape(-1, sets, encoded.shape[-1])

    def _hide_some(self, categorical: Tensor) -> Tensor:
        hidden = torch.rand(categorical.shape) < self.unknown_rates
        return categorical.masked_fill(hidden & (categorical != MISSING), UNKNOWN)


def _places(widths: dict[str, int]) -> dict[str, slice]:
    ends = accumulate(widths.values())
    return {name: slice(end - widths[name], end) for name, end in zip(widths, ends, strict=True)}
