"""What an architecture is built for: the columns of its input, and the tasks."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """The input and the outputs of an architecture.

    Args:
        in_dim: D, columns of the input.
        columns: where each input stands among them, by its name in the training set.
        parents: the tasks in the order of the outputs, each with the task it comes after.
        categoricals: names of the inputs that are embedded, in the order of the columns.
    """

    in_dim: int
    columns: Mapping[str, slice]
    parents: Mapping[str, str | None]
    categoricals: tuple[str, ...] = ()

    @property
    def tasks(self) -> int:
        """T, the number of tasks."""
        return len(self.parents)
