"""`champions/NAME.json` in the home: who is champion, for services that know no registry.

The registry is the truth; promotion and rollback write this file after it, under the same lock,
and a service follows it. The champion's bundle lies beside it, so a service needs the home alone.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from shopguide.errors import ShopguideError
from shopguide.files import write_json

_FOLDER = "champions"
_SCHEMA = 1
_FIX = "Run `shopguide promote` or `shopguide rollback` again"


@dataclass(frozen=True, slots=True)
class Pointer:
    """The champion.

    Args:
        version: in the registry.
        checksum: of its bundle.
        bundle: folder of the bundle, relative to the home, which may be mounted elsewhere.
        bento: tag of the Bento that was blessed with it; None when none was.
        feature_service: Feast feature service that it reads.
    """

    version: str
    checksum: str
    bundle: str
    bento: str | None
    feature_service: str


def pointer_file(home: str | Path, name: str) -> Path:
    """Return the file that names the champion of a model."""
    return Path(home) / _FOLDER / f"{name}.json"


def bundle_folder(name: str, checksum: str) -> str:
    """Return where a champion's bundle lies, relative to the home."""
    return f"{_FOLDER}/{name}/{checksum[:16]}"


def write_pointer(home: str | Path, name: str, pointer: Pointer) -> None:
    """Write who is champion, whole or not at all."""
    write_json(pointer_file(home, name), {"schema": _SCHEMA, **asdict(pointer)})


def read_pointer(home: str | Path, name: str) -> Pointer | None:
    """Read who is champion; None: nobody was promoted in this home.

    Raises:
        ShopguideError: the file is not of this form, or names a folder outside its own.
    """
    path = pointer_file(home, name)
    try:
        content = json.loads(path.read_bytes())
        if content.pop("schema") != _SCHEMA:
            raise ValueError
        pointer = Pointer(**content)
        fields = (pointer.version, pointer.checksum, pointer.bundle, pointer.feature_service)
        if not all(isinstance(field, str) for field in (*fields, pointer.bento or "")):
            raise ValueError
        home = Path(home).resolve()
        folder = (home / pointer.bundle).resolve()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ShopguideError(str(path), "does not say who is champion", _FIX) from None
    if not folder.is_relative_to(home / _FOLDER / name):
        raise ShopguideError(str(path), "names a bundle outside its folder", _FIX)
    return pointer
