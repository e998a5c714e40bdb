"""What a run is given: read from options, and held to what the compiled pipeline asks for."""

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from pipelines.kubeflow.package import Package, Parameter
from shopguide.errors import ShopguideError

_WORDS = {
    "STRING": "a text",
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "a mapping",
}

_EXACT = 2**53  # whole numbers travel as floating point


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < float("inf")  # false for NaN too


def _is_whole(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and _is_number(value)
        and value % 1 == 0
        and abs(value) <= _EXACT
    )


_FITS: dict[str, Callable[[object], bool]] = {
    "STRING": lambda value: isinstance(value, str),
    "NUMBER_INTEGER": _is_whole,
    "NUMBER_DOUBLE": _is_number,
    "BOOLEAN": lambda value: isinstance(value, bool),
    "LIST": lambda value: isinstance(value, list),
    "STRUCT": lambda value: isinstance(value, dict),
}


def gather_parameters(
    package: Package,
    *,
    file: Path | None,
    typed: Sequence[str],
    given: Mapping[str, object],
    defaults: Mapping[str, object],
) -> dict[str, object]:
    """Return a run's parameters, checked before anything is sent.

    Args:
        package: compiled pipeline.
        file: YAML or JSON with a mapping; None: none.
        typed: NAME=VALUE each; they win over the file.
        given: what the caller found elsewhere, such as in a spec; it must not be typed too.
        defaults: for what nobody gives.

    Raises:
        ShopguideError: a name is unknown, a value is of another type, or one is missing; every
            mistake is on a line of its own.
    """
    problems: list[ShopguideError] = []
    found: dict[str, object] = {**defaults, **given}
    for name, value in ({} if file is None else _file(file)).items():
        if name in given:
            what = "is set by another option"
            problems.append(ShopguideError(f"{file}, {name}", what, "Give it once"))
        else:
            found |= _one(package, name, value, f"{file}, {name}", problems)
    for text in typed:
        name, sign, value = text.partition("=")
        where = f"--param {name}"
        if not sign or not name:
            problems.append(ShopguideError(f"--param {text}", "has no =", "Write NAME=VALUE"))
        elif name in given:
            what = "is set by another option"
            problems.append(ShopguideError(where, what, "Give it once"))
        elif (parameter := package.parameters.get(name)) is None:
            problems.append(_unknown(package, name, where))
        else:
            try:
                found[name] = _held(_read(value, parameter), parameter)
            except ValueError:
                problems.append(_wrong(where, parameter))
    missing = [n for n, p in package.parameters.items() if p.required and n not in found]
    problems += [
        ShopguideError(f"parameter {name}", "is missing", f"Give --param {name}=…")
        for name in missing
    ]
    if problems:
        raise ShopguideError.combined(problems)
    return found


def _one(
    package: Package, name: str, value: object, where: str, problems: list[ShopguideError]
) -> dict[str, object]:
    parameter = package.parameters.get(name)
    if parameter is None:
        problems.append(_unknown(package, name, where))
        return {}
    try:
        return {name: _held(value, parameter)}
    except ValueError:
        problems.append(_wrong(where, parameter))
        return {}


def _file(path: Path) -> dict[str, object]:
    where = f"--params-file {path}"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        what = f"cannot be read: {' '.join(str(error).split())}"
        raise ShopguideError(where, what, "Write NAME: VALUE lines (YAML or JSON)") from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ShopguideError(where, "holds no mapping", "Write NAME: VALUE lines (YAML or JSON)")
    return content


def _read(text: str, parameter: Parameter) -> object:
    """Return a typed text as the value that it stands for.

    Raises:
        ValueError: it stands for none of this type.
    """
    if parameter.type == "STRING":
        return text
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(text: str) -> object:
    raise ValueError(text)


def _held(value: object, parameter: Parameter) -> object:
    """Return a value of the parameter's type.

    Raises:
        ValueError: it is of another type, or would arrive as another value.
    """
    fits = _FITS.get(parameter.type)
    if fits is None or not fits(value):
        raise ValueError(value)
    if parameter.type in ("LIST", "STRUCT"):
        try:
            json.dumps(value, allow_nan=False)
        except TypeError:  # a date of YAML, say
            raise ValueError(value) from None
    return value


def _unknown(package: Package, name: str, where: str) -> ShopguideError:
    known = list(package.parameters)
    close = difflib.get_close_matches(name, known, 1)
    fix = f"Write {close[0]}" if close else f"It has {', '.join(known) or 'none'}"
    return ShopguideError(where, f"pipeline {package.name} has no such parameter", fix)


def _wrong(where: str, parameter: Parameter) -> ShopguideError:
    words = _WORDS.get(parameter.type, parameter.type)
    form = " as JSON" if parameter.type in ("LIST", "STRUCT") else ""
    return ShopguideError(where, f"is not {words}", f"Write {words}{form}")
