"""Values of inputs, as JSON has them: checked in plain code that stops at the first fault.

A schema tells what each type of a union has against each wrong value. A body with a million of
them would hold the service up for that long, and fill its memory.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any

from pydantic_core import PydanticCustomError

MOST_NAMES = 1_000
"""Names that one row may have."""

MOST_TEXTS = 1_000
"""Texts that a list may have."""

LONGEST_NAME = LONGEST_IN_A_LIST = 200
LONGEST_TEXT = 1_000
"""Characters."""

FAULT = "fault"
"""Kind of the errors that say themselves where in the field they are, as `at` in their context."""

_EXPECTED = "expected a text, a finite number, a list of texts or null"

Plain = str | float | list[str] | None
"""A value of an input; numbers are floats."""


def fault(what: str, *at: str | int) -> PydanticCustomError:
    """Return an error about a part of a field.

    Args:
        what: is wrong, as a sentence.
        at: names and places that lead to the part.
    """
    return PydanticCustomError(FAULT, "{what}", {"what": what, "at": at})


def row_of(given: object) -> dict[str, Plain]:
    """Check values by name.

    Raises:
        PydanticCustomError: the first that is wrong, or there are too many.
    """
    return _row(given, ())


def rows_of(most: int) -> Callable[[object], dict[str, dict[str, Plain]]]:
    """Return a check of values by item and name.

    Args:
        most: items that there may be.
    """

    def check(given: object) -> dict[str, dict[str, Plain]]:
        items = _object(given, most, ())
        return {item: _row(row, (item,)) for item, row in items.items()}

    return check


def _row(given: object, at: tuple[str, ...]) -> dict[str, Plain]:
    values = _object(given, MOST_NAMES, at)
    return {name: _value(value, at, name) for name, value in values.items()}


def _object(given: object, most: int, at: tuple[str, ...]) -> dict[str, Any]:
    if type(given) is not dict:
        raise fault("expected an object", *at)
    if len(given) > most:
        raise fault(f"has {len(given):,} names, at most {most:,}", *at)
    for name in given:
        if not name or len(name) > LONGEST_NAME or not _is_text(name):
            what = f"expected 1 to {LONGEST_NAME} characters, none of them NUL"
            raise fault(f"a name here is none: {what}", *at)
    return given


def _value(given: object, at: tuple[str, ...], name: str) -> Plain:
    kind = type(given)
    if kind is str:
        return _text(given, LONGEST_TEXT, at, name)
    if kind is float or kind is int:
        return _number(given, at, name)
    if kind is list:
        return _texts(given, at, name)
    if given is None:
        return None
    raise fault(_EXPECTED, *at, name)


def _text(given: Any, longest: int, at: tuple[str, ...], name: str) -> str:  # noqa: ANN401 - a text
    text: str = given
    if len(text) > longest:
        raise fault(f"a text of {len(text):,} characters, at most {longest:,}", *at, name)
    if not _is_text(text):
        raise fault("a text with the character NUL, or with half a character", *at, name)
    return text


def _number(given: Any, at: tuple[str, ...], name: str) -> float:  # noqa: ANN401 - a number
    try:
        number = float(given)
    except OverflowError:  # a whole number beyond all floats
        number = float("inf")
    if not isfinite(number):
        raise fault(_EXPECTED, *at, name)
    return number


def _texts(given: Any, at: tuple[str, ...], name: str) -> list[str]:  # noqa: ANN401 - a list
    if len(given) > MOST_TEXTS:
        raise fault(f"a list of {len(given):,} values, at most {MOST_TEXTS:,}", *at, name)
    for one in given:
        if type(one) is not str:
            raise fault(_EXPECTED, *at, name)
        _text(one, LONGEST_IN_A_LIST, at, name)
    texts: list[str] = given
    return texts


def _is_text(text: str) -> bool:
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair: JSON can write it, UTF-8 cannot
        return False
    return True
