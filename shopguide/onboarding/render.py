"""Write a spec as YAML that a person can read and change, with comments above the lines."""

import re
from collections.abc import Mapping, Sequence
from textwrap import wrap

import yaml

_WIDTH = 110


def render(document: Mapping[str, object], comments: Mapping[str, Sequence[str]]) -> str:
    """Return the document as YAML.

    Args:
        document: nested mappings, lists and scalars.
        comments: path such as data.columns.user_id → comments above it; "" stands on top.
    """
    lines = [line for comment in comments.get("", ()) for line in _comment(comment, 0)]
    for key, value in document.items():
        if lines and isinstance(value, Mapping):
            lines.append("")
        lines += _entry(key, value, key, 0, comments)
    return "\n".join(lines) + "\n"


def _entry(
    key: str, value: object, path: str, depth: int, comments: Mapping[str, Sequence[str]]
) -> list[str]:
    lines = [line for comment in comments.get(path, ()) for line in _comment(comment, depth)]
    indent = "  " * depth
    shown = yaml.safe_dump({key: None}, allow_unicode=True).split(": null")[0].strip()
    below = any(other.startswith(f"{path}.") for other in comments)
    flow = _flow(value)
    if isinstance(value, list) and len(flow) > _WIDTH and not isinstance(value[0], Mapping):
        return [*lines, f"{indent}{shown}:", *(f"{indent}  - {_flow(part)}" for part in value)]
    if (
        not isinstance(value, Mapping)
        or not value
        or (depth and not below and len(flow) + len(shown) < _WIDTH)
    ):
        return [*lines, f"{indent}{shown}: {flow}"]
    lines.append(f"{indent}{shown}:")
    for inner, content in value.items():
        lines += _entry(str(inner), content, f"{path}.{inner}", depth + 1, comments)
    return lines


def _flow(value: object) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    text = text.removesuffix("\n").removesuffix("\n...")
    return re.sub(r"!!timestamp '([^']+)'", r"\1", text)


def _comment(text: str, depth: int) -> list[str]:
    indent = "  " * depth + "# "
    return [indent + line for line in wrap(text, _WIDTH - len(indent), break_long_words=False)]
