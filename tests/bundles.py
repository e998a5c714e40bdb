"""Bundles as somebody with a text editor and time would spoil them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shopguide.bundle import Manifest
from shopguide.bundle.manifest import file_checksums


def rewrite(folder: Path, name: str, content: str | bytes) -> None:
    """Replace or add a file of a bundle and put the checksums right."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    reseal(folder, {"checksums": file_checksums(folder)})


def edit(folder: Path, fields: Mapping[str, Any]) -> None:
    """Change fields of the manifest and leave its checksum as it was."""
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def reseal(folder: Path, fields: Mapping[str, Any]) -> None:
    """Change fields of the manifest and put its checksum right."""
    edit(folder, fields)
    Manifest.read(folder / "bundle.json").sealed().write(folder / "bundle.json")
