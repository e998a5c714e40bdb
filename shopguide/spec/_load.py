"""Read a spec from YAML, apply a profile and overrides, and name every problem by its path."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shopguide.errors import ShopguideError
from shopguide.spec._place import Place
from shopguide.spec._spec import Spec
from shopguide.spec._yaml import parse

_PATH = re.compile(r"(\w+(?:\.\w+)+): ")


def load_spec(
    path: str | Path, *, profile: str | None = None, overrides: Sequence[str] = ()
) -> Spec:
    """Read, override and check a spec.

    Args:
        path: YAML file.
        profile: name under the file's `profiles`; None takes the file's own `profile`, if any.
        overrides: `a.b.c=value`, the value in YAML; applied after the profile.

    Raises:
        ShopguideError: the file cannot be read, or names what is not allowed; all problems at once.
    """
    document = _read(Path(path))
    profiles = document.pop("profiles", None) or {}
    if not isinstance(profiles, dict):
        raise ShopguideError(f"{path} profiles", f"is {profiles!r}, not a mapping", "Name profiles")
    # a spec that was dumped carries the name of its profile, and its values already
    chosen = profile or (document.get("profile") if profiles else None)
    if chosen is not None:
        if chosen not in profiles:
            raise _no_profile(path, chosen, profiles)
        for dotted, value in _flatten(profiles[chosen], f"{path} profiles.{chosen}").items():
            override(document, dotted, value)
        document["profile"] = chosen
    for assignment in overrides:
        dotted, equals, text = assignment.partition("=")
        if not equals or not dotted:
            raise ShopguideError(
                f"--set {assignment}", "not of the form a.b.c=value", "Write the path, =, the value"
            )
        override(document, dotted, _parse_value(assignment, text))
    return _validate(document, str(path), overrides)


def _no_profile(path: str | Path, chosen: str, profiles: Mapping[str, object]) -> ShopguideError:
    if not profiles:
        what = f"no profile {chosen!r}: the spec has no profiles"
        return ShopguideError(str(path), what, "Leave --profile out")
    known = ", ".join(map(str, profiles))
    what = f"no profile {chosen!r}; found {known}"
    return ShopguideError(f"{path} profiles", what, "Name one of these")


def check_text(text: str, *, where: str) -> Spec:
    """Check a spec that comes as text, profile and overrides already applied.

    Args:
        text: YAML or JSON.
        where: what error messages call the text.

    Raises:
        ShopguideError: the text is not a valid spec; all problems at once.
    """
    document = _parse(text, where)
    document.pop("profiles", None)
    return _validate(document, where)


def override(document: dict[str, Any], dotted: str, value: object) -> None:
    """Set one field of a spec document in place.

    Args:
        document: the spec as nested mappings.
        dotted: path of the field, `training.max_steps`.
        value: the new value.

    Raises:
        ShopguideError: the path goes through something that is not a section.
    """
    *sections, field = dotted.split(".")
    target = document
    for depth, section in enumerate(sections):
        inner = target.setdefault(section, {})
        if inner is None:
            inner = target[section] = {}
        if not isinstance(inner, dict):
            where = ".".join(sections[: depth + 1])
            raise ShopguideError(
                f"--set {dotted}",
                f"{where} is {inner!r}, not a section",
                "Set a field of a section",
            )
        target = inner
    target[field] = value


def dump_spec(spec: Spec, path: str | Path) -> None:
    """Write a spec, profile and overrides applied, as YAML that loads to an equal spec."""
    text = yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    Path(path).write_text(text, encoding="utf-8")


def json_schema() -> str:
    """Return the JSON Schema of a spec file, for editors that complete and check YAML."""
    schema = Spec.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["profiles"] = {
        "description": "Named overrides; a key is a path such as training.epochs.",
        "type": "object",
        "additionalProperties": {"type": "object"},
    }
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # a path may hold what no file name can
        if isinstance(error, UnicodeDecodeError):
            where, what = f"{path} byte {error.start}", "not UTF-8 text"
            raise ShopguideError(where, what, "Save the file as UTF-8") from None
        reason = getattr(error, "strerror", error)
        raise ShopguideError(
            str(path), f"cannot be read: {reason}", "Give the path of a spec (YAML)"
        ) from None
    return _parse(text, str(path))


def _parse(text: str, where: str) -> dict[str, Any]:
    document = parse(text, where)
    if not isinstance(document, dict):
        raise ShopguideError(
            where, "not a mapping of sections", "Start from one of the examples in specs/"
        )
    return document


def _validate(document: dict[str, Any], where: str, overrides: Sequence[str] = ()) -> Spec:
    try:
        return Spec.model_validate(document)
    except ValidationError as error:
        place = Place(where, overrides)
        problems = [_problem(place, document, detail) for detail in error.errors()]
        raise ShopguideError.combined(problems) from None


def _parse_value(assignment: str, text: str) -> object:
    try:
        return parse(text, f"--set {assignment}")
    except ShopguideError as error:
        raise ShopguideError(
            f"--set {assignment}", f"the value is {error.what}", "Quote it for the shell"
        ) from None


def _flatten(tree: object, where: str, prefix: str = "") -> dict[str, object]:
    if not isinstance(tree, Mapping):
        raise ShopguideError(where, "not a mapping of overrides", "Write path: value")
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, where, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _problem(place: Place, document: dict[str, Any], detail: ErrorDetails) -> ShopguideError:
    loc = _path_in_document(document, detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind.startswith("union_tag"):  # the tag is a field of the section
        loc.append(str(context["discriminator"]).strip("'"))
    message = detail["msg"].removeprefix("Value error, ")
    if not loc and (named := _PATH.match(message)):  # a rule that joins sections names the field
        loc, message = list(named[1].split(".")), message[named.end() :]
    where = place.of(".".join(map(str, loc)))
    if kind == "extra_forbidden":
        allowed = _fields_beside(detail["loc"])
        close = get_close_matches(str(loc[-1]), allowed, n=1)
        hint = f"Did you mean {close[0]}" if close else f"Allowed are {', '.join(sorted(allowed))}"
        return ShopguideError(where, "unknown field", hint + ("?" if close else ""))
    if kind in ("missing", "union_tag_not_found"):
        return ShopguideError(where, "missing", "Add it")
    if kind in ("union_tag_invalid", "literal_error"):
        expected = context.get("expected_tags") or context.get("expected")
        found = context.get("tag", detail["input"])
        return ShopguideError(where, f"is {found!r}", f"Allowed are {expected}")
    found = detail["input"]
    shown = f" (found {found!r})" if not isinstance(found, (dict, list)) else ""
    return ShopguideError(where, message[0].lower() + message[1:] + shown, "Change it")


def _path_in_document(document: object, loc: Sequence[str | int]) -> list[str | int]:
    """Drop the union tags that pydantic puts into a location and the document does not have."""
    path: list[str | int] = []
    at: object = document
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if isinstance(at, Mapping) and part in at:
            at = at[part]
        elif isinstance(at, list) and isinstance(part, int):
            at = at[part] if part < len(at) else None
        elif isinstance(at, Mapping) and part in (at.get("kind"), at.get("source")) and not last:
            continue
        path.append(part)
    return path


def _fields_beside(loc: Sequence[str | int]) -> list[str]:
    """List the fields of the section that holds the last part of a location."""
    schema = Spec.model_json_schema()
    node: dict[str, Any] = schema
    for part in loc[:-1]:
        node = _resolve(schema, node)
        if "oneOf" in node:  # a union: its tag is the next part of the location
            mapping = node["discriminator"]["mapping"]
            node = {"$ref": mapping[part]} if part in mapping else {}
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        else:
            by_pattern = next(iter(node.get("patternProperties", {}).values()), None)
            node = by_pattern or node.get("additionalProperties") or node.get("items") or {}
    return list(_resolve(schema, node).get("properties", {}))


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node
