"""What the two arrays that a network reads hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from shopguide.bundle.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True)
class CodedInput:
    """A categorical input: a column of codes.

    Args:
        name: of the input.
        codes: how many there are, missing and unknown included.
    """

    name: str
    codes: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """The columns of the categorical array, and of the numeric one.

    Args:
        coded: the categorical inputs, in the order of their columns.
        numbers: names of the numeric columns; a missing indicator has its input's name and `?`.
    """

    coded: tuple[CodedInput, ...]
    numbers: tuple[str, ...]

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> Self:
        """Return what a fitted preprocessing makes."""
        values = [column.name for column in preprocessing.numeric]
        indicators = [f"{column.name}?" for column in preprocessing.numeric if column.indicator]
        coded = (CodedInput(column.name, column.size) for column in preprocessing.categorical)
        return cls(tuple(coded), (*values, *indicators))

    @classmethod
    def plain(cls, codes: Sequence[int], numbers: int) -> Self:
        """Return categoricals `c0`, `c1`, … of the given numbers of codes, and numbers `n0`, …."""
        coded = (CodedInput(f"c{position}", size) for position, size in enumerate(codes))
        return cls(tuple(coded), tuple(f"n{position}" for position in range(numbers)))
