"""YAML as a spec is written: safe types only, no key twice, no endless nesting."""

from typing import Any

import yaml
from yaml.constructor import ConstructorError

from shopguide.errors import ShopguideError

_MOST_DEEP = 40


class _Loader(yaml.SafeLoader):
    """The safe loader, which names the place of what it cannot read."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401 - yaml's own signature
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            shown = f"{node.value!r}" if isinstance(node, yaml.ScalarNode) else "this"
            problem = f"{shown} cannot be read: {error}"
            raise ConstructorError(None, None, problem, node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    problem = f"the key {key.value!r} stands twice"
                    raise ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def parse(text: str, where: str) -> object:
    """Read YAML or JSON.

    Args:
        text: what was written.
        where: what error messages call it.

    Raises:
        ShopguideError: it is not valid; the message names line and column.
    """
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
        deep = _deeper(document, _MOST_DEEP)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where} line {mark.line + 1}, column {mark.column + 1}" if mark else where
        what = getattr(error, "problem", None) or str(error)
        raise ShopguideError(place, f"not valid YAML: {what}", "Mend it") from None
    except RecursionError:
        deep = True
    if deep:
        raise ShopguideError(
            where, f"nests deeper than {_MOST_DEEP} levels, or refers to itself", "Write it flat"
        )
    return document


def _deeper(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        parts: list[object] = list(value.values())
    elif isinstance(value, list):
        parts = value
    else:
        return False
    return levels == 0 or any(_deeper(part, levels - 1) for part in parts)
