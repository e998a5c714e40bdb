"""A bank of equal multi-layer perceptrons, computed together."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Self

import torch
from torch import Tensor, nn

from shopguide.spec.model import Model


class Alike:
    """What of a common input is alike in all rows of a request: it is multiplied once.

    D columns of the input, B rows; all banks that share it read the same input.

    Args:
        columns: which of the D are alike, each one or 0.
        rows: positions of the rows whose alike columns stand for all: [1], or [B].
    """

    def __init__(self, columns: Sequence[bool], rows: Tensor) -> None:
        self._rows = rows
        self._runs: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        for alike, run in groupby(enumerate(columns), key=lambda one: one[1]):
            places = [place for place, _ in run]
            self._runs[alike].append((places[0], places[-1] + 1))
        self._parts: tuple[Tensor, Tensor] | None = None

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the alike columns of `rows`, and the other columns of all rows [B, ·]."""
        if self._parts is None:
            once = self.pick(x.index_select(0, self._rows), alike=True)
            self._parts = once, self.pick(x, alike=False)
        return self._parts

    def pick(self, x: Tensor, *, alike: bool) -> Tensor:
        """Return the columns of x [·, D] that are alike, or the others."""
        # by runs: a graph takes longer to gather single columns than to multiply them
        return torch.cat([x[:, start:end] for start, end in self._runs[alike]], dim=1)


class Bank(nn.Module):
    """E perceptrons of equal shape, each with weights of its own.

        h ← dropout(relu(norm(h·W_e + b_e))) for each layer

    B batch, E members, D in_dim, H the last width; all ≥ 1. One product a layer serves all members.

    Args:
        members: E.
        in_dim: D.
        widths: units of each layer; none makes the bank pass its input on.
        dropout: share of units dropped in training, in [0, 1).
        batch_norm: normalise before the activation.
        own_input: each member has an input of its own [B, E, D] instead of a common one [B, D].
    """

    def __init__(
        self,
        members: int,
        in_dim: int,
        widths: Sequence[int],
        *,
        dropout: float,
        batch_norm: bool,
        own_input: bool = False,
    ) -> None:
        super().__init__()
        self.members = members
        self.own_input = own_input
        self.output_dim = widths[-1] if widths else in_dim
        dims = [in_dim, *widths]
        self.weights = nn.ParameterList(
            _uniform(members, d, h, batch_norm=batch_norm) for d, h in pairwise(dims)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(members, h)) for h in widths)
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(members * h) if batch_norm else nn.Identity() for h in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.alike: Alike | None = None  # set when a graph is exported

    @classmethod
    def of(
        cls,
        model: Model,
        members: int,
        in_dim: int,
        widths: Sequence[int],
        *,
        own_input: bool = False,
    ) -> Self:
        """Build with the dropout and the batch norm of the spec's model section."""
        return cls(
            members,
            in_dim,
            widths,
            dropout=model.dropout,
            batch_norm=model.batch_norm,
            own_input=own_input,
        )

    @torch.no_grad()
    def start_equal(self) -> None:
        """Give every member the weights of the first."""
        for weight in self.weights:
            weight.copy_(weight[:1].expand_as(weight).clone())

    @torch.no_grad()
    def fold_norms(self) -> None:
        """Put what the norms do when serving into the weights: the same outputs, fewer passes.

        norm(h·W + b) = h·(W·s) + (b − mean)·s + shift,   s = gain / √(variance + ε)
        """
        for position, norm in enumerate(self.norms):
            if not isinstance(norm, nn.BatchNorm1d):
                continue
            assert norm.running_var is not None
            assert norm.running_mean is not None
            bias, weight = self.biases[position], self.weights[position]
            scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
            centred = bias.double().flatten() - norm.running_mean.double()
            folded = centred * scale + norm.bias.double()
            bias.copy_(folded.view_as(bias))
            weight.copy_(weight.double() * scale.view_as(bias).unsqueeze(1))
            self.norms[position] = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, D], or [B, E, D] with `own_input`, to [B, E, H]."""
        h = x.transpose(0, 1) if self.own_input else x.expand(self.members, *x.shape)  # [E, B, D]
        for position, (weight, bias, norm) in enumerate(
            zip(self.weights, self.biases, self.norms, strict=True)
        ):
            common = position == 0 and not self.own_input
            h = _of_common(x, weight, bias, self.alike) if common else _of_own(h, weight, bias)
            if isinstance(norm, nn.BatchNorm1d):
                h = norm(h.transpose(0, 1).flatten(1)).unflatten(1, bias.shape).transpose(0, 1)
            h = self.dropout(h.relu())
        return h.transpose(0, 1)


def _of_own(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Map each member's input [E, B, D] to [E, B, H]."""
    return torch.baddbmm(bias.unsqueeze(1), h, weight)


def _of_common(x: Tensor, weight: Tensor, bias: Tensor, alike: Alike | None) -> Tensor:
    """Map one input [B, D] to [E, B, H] by a product of all members' weights [E, D, H] at once."""
    flat = weight.transpose(1, 2).flatten(0, 1)  # [E · H, D]
    if alike is None:
        h = nn.functional.linear(x, flat, bias.flatten())
    else:
        once, rest = alike.parts(x)
        part = nn.functional.linear(once, alike.pick(flat, alike=True), bias.flatten())
        h = torch.addmm(part, rest, alike.pick(flat, alike=False).t())
    return h.reshape(-1, *bias.shape).transpose(0, 1)


def _uniform(members: int, in_dim: int, out_dim: int, *, batch_norm: bool) -> nn.Parameter:
    # Variance 2/D keeps the scale through relu (He et al. 2015). Under a norm no scale is to be
    # kept, and the smaller the weights are, the further a step of Adam turns them: 1/D
    bound = ((3 if batch_norm else 6) / in_dim) ** 0.5
    return nn.Parameter(torch.empty(members, in_dim, out_dim).uniform_(-bound, bound))
