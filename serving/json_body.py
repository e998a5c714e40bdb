"""JSON as strictly as a service should read it."""

import json
from http import HTTPStatus
from typing import Any, NoReturn

from serving.errors import RefusedError

_ASCII = 128

MOST_LEVELS = 16
"""Levels of nesting that a body may have; none of the endpoints needs more than five."""

MOST_NAMES = 10_000
"""Names that an object may have: a schema has something to say about each that it does not know."""


MOST_CONTAINERS = 100_000
"""Objects and lists that a body may have: ten in each of the rows that a body may have. They cost
the parser most, and it lets nothing else run meanwhile."""

MOST_VALUES = 1_000_000
"""Values that a body may have: a hundred in each of the rows."""


class _BadJsonError(ValueError):
    pass


def read_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a body.

    UTF-8 alone, no name twice in an object, not too many names, no NaN or Infinity, bounded
    nesting.

    Raises:
        RefusedError: it is not that; status 400.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _refused(f"not UTF-8 (byte {error.start + 1})") from None
    if not text:
        raise _refused("the body is empty, expected JSON")
    _refuse_too_much(text)
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _refused(f"not JSON: {error.msg} ({where})") from None
    except _BadJsonError as error:
        raise _refused(str(error)) from None
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        raise _refused("not JSON that can be read: too deep, or a number is too long") from None


def _refuse_too_much(text: str) -> None:
    """Refuse what is nested too deeply, or has too many values, before it is parsed.

    Few brackets cannot nest deeply, so that most bodies are not looked at again.
    """
    if text.count(",") >= MOST_VALUES and _outside(text).count(",") >= MOST_VALUES:
        raise _refused(f"has more than {MOST_VALUES:,} values")
    if text.count("[") + text.count("{") <= MOST_LEVELS:
        return
    brackets = _outside(text).translate(_KEEP_BRACKETS)
    containers = brackets.count("[") + brackets.count("{")
    if containers > MOST_CONTAINERS:
        raise _refused(f"has {containers:,} objects and lists, at most {MOST_CONTAINERS:,}")
    level = 0
    for character in brackets:
        level += 1 if character in "[{" else -1
        if level > MOST_LEVELS:
            raise _refused(f"nested more than {MOST_LEVELS} levels deep")


def _outside(text: str) -> str:
    """Return what stands outside of strings."""
    if '"' not in text:
        return text
    return "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])


class _OnlyBrackets(dict[int, int | None]):
    def __missing__(self, key: int) -> int | None:
        found = key if chr(key) in "[]{}" else None
        if key < _ASCII:  # others are not remembered: a client could send all of Unicode
            self[key] = found
        return found


_KEEP_BRACKETS = _OnlyBrackets()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_NAMES:
        msg = f"an object has {len(pairs):,} names, at most {MOST_NAMES:,}"
        raise _BadJsonError(msg)
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                msg = f"an object has the name {name[:40]!r} twice"
                raise _BadJsonError(msg)
            seen.add(name)
    return found


def _constant(name: str) -> NoReturn:
    msg = f"not JSON: {name} is no number of JSON"
    raise _BadJsonError(msg)


def _refused(message: str) -> RefusedError:
    return RefusedError(HTTPStatus.BAD_REQUEST, "body", message)
