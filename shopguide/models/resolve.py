"""Registered names, resolved to their classes when they are asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TypeVar

Part = TypeVar("Part")


class Registered(Mapping[str, type[Part]]):
    """A table `name → module:class` of `shopguide.spec.parts` as a mapping to the classes.

    A line that is added to the table is seen at once.

    Args:
        entries: the table.
        kind: class that all of them derive from.
    """

    def __init__(self, entries: Mapping[str, str], kind: type[Part]) -> None:
        self._entries, self._kind = entries, kind

    def __getitem__(self, name: str) -> type[Part]:
        """Return the class of that name."""
        module, _, attribute = self._entries[name].partition(":")
        found = getattr(import_module(module), attribute)
        assert isinstance(found, type), f"{name} is no class"
        assert issubclass(found, self._kind), f"{name} is no {self._kind.__name__}"
        return found

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the order of the table."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._entries)
