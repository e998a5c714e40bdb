"""What the service says when it does not answer: one shape, with the path of the field.

{"error": {"path": "items[3]", "message": "…", "also": [{"path": "…", "message": "…"}]}}
"""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json
from starlette.responses import Response

from serving.metrics import REFUSED
from serving.schemas import FIELDS
from serving.values import FAULT

_log = logging.getLogger("shopguide.serving")

_MOST = 10  # problems of one body that are told
_LONGEST = 200  # characters of a path or message: parts of them come from the client

_OURS = FIELDS | {"body", "query", "path", "method"}
"""First parts of paths that are no client's words; so are the headers that we name."""


FAILED = "the service failed; its log says why"
"""What clients are told of a failure of ours."""


class RefusedError(Exception):
    """A request that is not answered as asked.

    Args:
        status: of the answer, 4xx or 503.
        path: where in the request: `items[3]`, `header Authorization`; empty for all of it.
        message: what is wrong and what is expected, without what the client sent where that may
            be personal.
        headers: further ones of the answer.
        also: other problems, path and message each.
    """

    def __init__(
        self,
        status: HTTPStatus,
        path: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        also: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(f"{path}: {message}")
        self.status, self.path, self.message = status, path, message
        self.headers = dict(headers or {})
        self.also = tuple(also)

    def response(self) -> Response:
        """Return the answer."""
        error: dict[str, Any] = {"path": _clean(self.path), "message": _clean(self.message)}
        if self.also:
            error["also"] = [{"path": _clean(p), "message": _clean(m)} for p, m in self.also]
        return json_response({"error": error}, self.status, self.headers)


def json_response(
    content: object,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return JSON; dataclasses and pydantic models are written as they are.

    Raises:
        PydanticSerializationError: a value has no form in JSON.
    """
    return Response(
        to_json(content, inf_nan_mode="null"),
        status_code=status,
        headers=dict(headers or {}),
        media_type="application/json",
    )


def not_valid(error: ValidationError) -> RefusedError:
    """Return a schema's complaints about a body: the first, and some of the others."""
    found: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        path, message = _told(detail)
        found.setdefault(path, message)
    (path, message), *others = found.items()
    return RefusedError(HTTPStatus.BAD_REQUEST, path, message, also=others[: _MOST - 1])


def _told(detail: ErrorDetails) -> tuple[str, str]:
    if detail["type"] == FAULT:
        return path_of((*detail["loc"], *detail["ctx"]["at"])), detail["msg"]
    if detail["type"] == "extra_forbidden":
        return path_of(detail["loc"]), "no such field"
    return path_of(detail["loc"]), detail["msg"].removeprefix("Value error, ")


def note(endpoint: str, refused: RefusedError) -> None:
    """Count a refusal and log it in a line, without anything that the client sent.

    Args:
        endpoint: a path of the service, or `other`.
        refused: only the first part of its path is told, and only where it is a name of ours: the
            others may be ids, or whatever a client writes.
    """
    REFUSED.labels(endpoint, str(refused.status.value)).inc()
    top = refused.path.replace("[", ".").partition(".")[0]
    ours = top in _OURS or top.startswith("header ")
    where = f" at {top}" if ours else " at a name that is not known" if top else ""
    _log.warning("refused %s with %d%s", endpoint, refused.status, where)


def path_of(loc: Sequence[int | str]) -> str:
    """Write a place in a body: `features.i1.price`, `rows[0]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _clean(text: str) -> str:
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(c if c.isprintable() else " " for c in short)
