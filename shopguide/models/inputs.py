"""What the two arrays that a network reads hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from shopguide.bundle.preprocessing import ListInput, Preprocessing
from shopguide.spec.model import Model


@dataclass(frozen=True, slots=True)
class CodedInput:
    """An input that is embedded: a column of codes, or several for a list.

    Args:
        name: of the input.
        codes: how many there are, missing and unknown included.
        length: columns; 1 but for a list.
        encoder: of a list, by name; None for a single value.
        of: input whose embedding a list shares; None: its own.
        dim: units of the embedding; None: by the rule of the encoder.
        training_only: read in training, absent when serving.
    """

    name: str
    codes: int
    length: int = 1
    encoder: str | None = None
    of: str | None = None
    dim: int | None = None
    training_only: bool = False


@dataclass(frozen=True, slots=True)
class Inputs:
    """The columns of the array of codes, and of the numeric one.

    Args:
        coded: the embedded inputs, in the order of their columns.
        numbers: names of the numeric columns; a missing indicator has its input's name and `?`.
    """

    coded: tuple[CodedInput, ...]
    numbers: tuple[str, ...]

    @classmethod
    def of(cls, preprocessing: Preprocessing, model: Model) -> Self:
        """Return what a fitted preprocessing makes.

        Args:
            preprocessing: fitted.
            model: reads `embeddings` and `lists`.
        """
        values = [column.name for column in preprocessing.numeric]
        indicators = [f"{column.name}?" for column in preprocessing.numeric if column.indicator]
        sizes = {column.name: column.size for column in preprocessing.categorical}
        coded = (
            _list(column, sizes, model)
            if isinstance(column, ListInput)
            else CodedInput(
                column.name,
                column.size,
                dim=model.embeddings.get(column.name),
                training_only=column.training_only,
            )
            for column in preprocessing.coded
        )
        return cls(tuple(coded), (*values, *indicators))

    @classmethod
    def plain(cls, codes: Sequence[int], numbers: int) -> Self:
        """Return categoricals `c0`, `c1`, … of the given numbers of codes, and numbers `n0`, …."""
        coded = (CodedInput(f"c{position}", size) for position, size in enumerate(codes))
        return cls(tuple(coded), tuple(f"n{position}" for position in range(numbers)))

    @property
    def served(self) -> tuple[CodedInput, ...]:
        """The embedded inputs that are there when serving."""
        return tuple(column for column in self.coded if not column.training_only)

    @property
    def code_width(self) -> int:
        """Columns of the array of codes when serving."""
        return sum(column.length for column in self.served)


def _list(column: ListInput, sizes: Mapping[str, int], model: Model) -> CodedInput:
    return CodedInput(
        column.name,
        column.size if column.of is None else sizes[column.of],
        length=column.length,
        encoder=model.lists[column.name].encoder,
        of=column.of,
        dim=model.embeddings.get(column.name),
    )
