"""A query string → the body that a POST would have had."""

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel

from serving.errors import RefusedError

_MOST = 200  # fields
_LISTS = {"item": "items"}
_NUMBERS = frozenset({"top_features"})
_DICTS = ("context", "weights")


def body_of_query(query: bytes, schema: type[BaseModel]) -> dict[str, Any]:
    """Build a body: `user_id=1&item=a&item=b&context.place_id=400&top_features=5`.

    Values of the context are texts; send numbers by POST.

    Args:
        query: as it stands after the question mark.
        schema: of the body.

    Raises:
        RefusedError: a field stands twice or is none of the body's; status 400.
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            max_num_fields=_MOST,
            errors="strict",
        )
    except ValueError:
        raise _refused("query", "cannot be read: NAME=VALUE&…, percent-encoded UTF-8") from None
    body: dict[str, Any] = {}
    for name, text in pairs:
        first, _, rest = name.partition(".")
        if name in _LISTS:
            body.setdefault(_LISTS[name], []).append(text)
        elif first in _DICTS and rest:
            _put(
                body.setdefault(first, {}),
                rest,
                _number(name, text) if first == "weights" else text,
            )
        elif name in schema.model_fields and name not in (*_DICTS, *_LISTS.values(), "features"):
            _put(body, name, _number(name, text) if name in _NUMBERS else text)
        else:
            known = "user_id, item (again and again), at, top_features, context.NAME, weights.TASK"
            raise _refused(name, f"no such field of the query; it may have {known}")
    return body


def _put(into: dict[str, Any], name: str, value: object) -> None:
    if name in into:
        raise _refused(name, "stands twice")
    into[name] = value


def _number(name: str, text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            raise _refused(name, "expected a number") from None


def _refused(path: str, message: str) -> RefusedError:
    return RefusedError(HTTPStatus.BAD_REQUEST, path, message)
