"""The architectures by name; `shopguide.spec.parts` is the list that a new one joins."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from shopguide.models.architecture import Architecture
from shopguide.spec import parts


def resolve(entry: str) -> object:
    """Return the class that an entry `module:class` of `shopguide.spec.parts` names."""
    module, _, name = entry.partition(":")
    found: object = getattr(import_module(module), name)
    return found


class _Architectures(Mapping[str, type[Architecture]]):
    """The registry with its names resolved; a line added to it is seen at once."""

    def __getitem__(self, name: str) -> type[Architecture]:
        found = resolve(parts.ARCHITECTURES[name])
        assert isinstance(found, type), f"{name} is no class"
        assert issubclass(found, Architecture), f"{name} is no architecture"
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(parts.ARCHITECTURES)

    def __len__(self) -> int:
        return len(parts.ARCHITECTURES)


ARCHITECTURES: Mapping[str, type[Architecture]] = _Architectures()
