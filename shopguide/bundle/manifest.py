"""The manifest of a bundle: `bundle.json`, written last, so its presence means complete."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from shopguide.bundle.document import Document

FORMAT = 1
"""Version of the bundle's layout; another one is refused."""

MANIFEST = "bundle.json"

FUSION = "fusion.json"
"""λ; there once the objective was solved."""

SOLUTION = "solution.json"
"""How λ was found."""


class TaskEntry(Document):
    """A task that the bundle predicts as one number.

    Args:
        after: task whose probability bounds this one's (funnel), if any.
    """

    name: str
    kind: Literal["binary", "amount"]
    after: str | None = None


class InputEntry(Document):
    """A column that the bundle reads."""

    name: str
    kind: Literal["categorical", "numeric", "recency", "bag", "sequence"]


class TrainPeriod(Document):
    """Half-open interval of the impressions that the model was trained on."""

    start: datetime
    end: datetime


class Manifest(Document):
    """What a bundle is.

    Args:
        version: first 12 hexadecimal digits of `checksum`.
        categories: the tasks that are predicted as a probability of each of these classes.
        feature_service: Feast feature service that delivers the inputs online.
        checksums: SHA-256 of every other file, by name.
        checksum: SHA-256 of the sorted lines `NAME SHA256`: one value for the whole bundle, free
            of the time at which it was written.
        versions: libraries that trained it.
    """

    format: int
    name: str
    version: str
    created: datetime
    tasks: list[TaskEntry]
    categories: dict[str, list[str]] = Field(default_factory=dict)
    inputs: list[InputEntry]
    feature_service: str
    train_period: TrainPeriod
    checksums: dict[str, str]
    checksum: str
    versions: dict[str, str]


def file_checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a bundle but the manifest, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }


def overall_checksum(checksums: Mapping[str, str]) -> str:
    """Return one SHA-256 for all files."""
    lines = "".join(f"{name} {checksums[name]}\n" for name in sorted(checksums))
    return hashlib.sha256(lines.encode()).hexdigest()
