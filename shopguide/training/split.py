"""Split a network's first layer by what is alike in all rows of a request, for its graph."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from shopguide.models import Network
from shopguide.models.bank import Alike, Bank

_LEAST = 16  # columns below which the split costs as much as it saves


@dataclass(frozen=True, slots=True)
class Split:
    """What of a network's input is alike in all rows of a request, and the banks that read it.

    B batch, C columns of codes, N numbers, D columns of the input.

    Args:
        names: of the inputs that are alike.
        columns: which of the D are theirs.
        codes: theirs among the C.
        numbers: theirs among the N.
        banks: that read the input as it is.
    """

    names: frozenset[str]
    columns: tuple[bool, ...]
    codes: list[int]
    numbers: list[int]
    banks: tuple[Bank, ...]

    @classmethod
    def of(
        cls, network: Network, names: Collection[str], categorical: Tensor, numeric: Tensor
    ) -> Self | None:
        """Return the split of a network; None where it would save nothing.

        Args:
            network: whose weights the graph gets.
            names: inputs that are alike in all rows of a request.
            categorical: codes of some rows [B, C].
            numeric: numbers of the same rows [B, N].
        """
        encoder = network.encoder
        single = {column.name for column in encoder.inputs if column.encoder is None}
        alike = {name for name in names if name in encoder.columns}
        alike -= {column.name for column in encoder.inputs} - single  # a list may read the others
        columns = [False] * encoder.output_dim
        for name, places in encoder.columns.items():
            if name.removesuffix("?") in alike:
                columns[places] = [True] * (places.stop - places.start)
        banks = _of_the_input(network, categorical, numeric)
        if encoder.sets > 1 or sum(columns) < _LEAST or all(columns) or not banks:
            return None
        of_numbers = columns[encoder.output_dim - numeric.shape[1] :]  # they are last
        return cls(
            frozenset(alike),
            tuple(columns),
            _codes(network, alike),
            [place for place, is_alike in enumerate(of_numbers) if is_alike],
            banks,
        )

    def install(self, rows: Tensor) -> None:
        """Have the banks compute the columns that are alike for these rows alone."""
        alike = Alike(self.columns, rows)
        for bank in self.banks:
            bank.alike = alike

    def alike_rows(self, categorical: Tensor, numeric: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows with what is alike taken from the first."""
        categorical, numeric = categorical.clone(), numeric.clone()
        categorical[:, self.codes] = categorical[:1, self.codes]
        numeric[:, self.numbers] = numeric[:1, self.numbers]
        return categorical, numeric


def _codes(network: Network, names: Collection[str]) -> list[int]:
    found, start = [], 0
    for column in network.encoder.inputs:
        if column.name in names:
            found.append(start)
        start += column.length
    return found


def _of_the_input(network: Network, categorical: Tensor, numeric: Tensor) -> tuple[Bank, ...]:
    """Return the banks that read the encoder's output itself, not what was made of it."""
    seen: dict[Bank, bool] = {}
    output: list[Tensor] = []

    def note(bank: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(bank, Bank)
        same = given[0].shape == output[0].shape and torch.equal(given[0], output[0])
        seen[bank] = seen.get(bank, True) and same and not bank.own_input

    hooks = [network.encoder.register_forward_hook(lambda *call: output.append(call[2]))]
    hooks += [
        module.register_forward_pre_hook(note)
        for module in network.modules()
        if isinstance(module, Bank)
    ]
    try:
        with torch.no_grad():
            network(categorical, numeric)
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(bank for bank, reads_it in seen.items() if reads_it)
