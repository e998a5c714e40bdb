"""Read a decision.json, and hold it against the two checksums that it carries."""

import copy
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shopguide.errors import ShopguideError
from shopguide.gate.consistency import contradictions
from shopguide.gate.decision import SCHEMA, Decision
from shopguide.gate.guards import LATENCY

FILE = "decision.json"

_EDITED = "Let the gate decide again; a decision is not to be edited"
_AGAIN = "Run `shopguide gate decide` again with this version"


def sealed(decision: Decision) -> Decision:
    """Return a decision with its fingerprint and its checksum."""
    printed = replace(decision, fingerprint=_fingerprint(decision.to_json()))
    return replace(printed, checksum=_checksum(printed.to_json()))


def _fingerprint(content: dict[str, Any]) -> str:
    """Return the SHA-256 of a decision without its measured values: equal inputs, equal value."""
    content = copy.deepcopy(content)
    for name in ("fingerprint", "checksum", "because"):  # words repeat measured values
        del content[name]
    for guard in content["guards"]:
        if guard["name"] == LATENCY:
            del guard["value"]
    for candidate in content["candidates"]:
        del candidate["latency_p99_ms"], candidate["because"]
    return _digest(content)


def read_decision(path: str | Path) -> Decision:
    """Read and verify a decision.

    Args:
        path: of decision.json, or of the directory that holds it.

    Raises:
        ShopguideError: there is no such file, it is not a decision of this schema, or it was
            changed after it was written, or says what cannot follow from its own numbers.
    """
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    content = _content(file)
    try:
        decision = TypeAdapter(Decision).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ShopguideError(
            f"{file} {place}".rstrip(),
            f"not a decision of schema {SCHEMA}: {first['msg'].lower()}",
            _AGAIN,
        ) from None
    if _checksum(content) != decision.checksum:
        raise ShopguideError(
            str(file),
            "was changed after it was written: its checksum is not that of its content",
            _EDITED,
        )
    wrong = list(contradictions(decision))
    if _fingerprint(content) != decision.fingerprint:
        wrong.append("fingerprint: is not that of the rest")
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise ShopguideError(
            f"{file} {wrong[0].partition(':')[0]}", f"{wrong[0].partition(': ')[2]}{more}", _EDITED
        )
    return decision


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise ShopguideError(
            str(file), f"cannot be read: {error.strerror}", "Give the path of a decision.json"
        ) from None
    except ValueError:
        raise ShopguideError(str(file), "is not JSON", "Give what the gate wrote") from None
    found = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(content, dict) or found != SCHEMA:
        what = f"not a decision of schema {SCHEMA}: its schema is {found!r}"
        raise ShopguideError(str(file), what, _AGAIN)
    return content


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _checksum(content: dict[str, object]) -> str:
    return _digest({name: value for name, value in content.items() if name != "checksum"})


def _digest(content: object) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
