"""The manifest of a bundle: `bundle.json`, written last, so its presence means complete."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from shopguide.bundle.document import Document
from shopguide.files import sha256

FORMAT = 2
"""Version of the bundle's layout; another one is refused."""

MANIFEST = "bundle.json"

GRAPH = "model.onnx"
SPEC = "spec.yaml"
PREPROCESSING = "preprocessing.json"
CALIBRATORS = "calibrators.json"
PROFILE = "profile.json"
TRAINING = "training.json"
GOLDEN = "golden.parquet"

FUSION = "fusion.json"
"""λ; there once the objective was solved."""

SOLUTION = "solution.json"
"""How λ was found."""

WEIGHTS = "weights.npz"
"""The network's weights, to go on from: there with `training.start: champion` alone."""

ALWAYS = (GRAPH, SPEC, PREPROCESSING, CALIBRATORS, PROFILE, TRAINING, GOLDEN)
"""Files that every bundle has beside its manifest; once solved it has `FUSION`, `SOLUTION` too."""

_UNSEALED = ("created", "version", "checksum")


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
        checksum: SHA-256 of this manifest's canonical JSON without `created`, `version` and the
            field itself. With `checksums` in it, it is one value for the whole bundle, every field
            here included, and free of the time at which the bundle was written.
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

    def identity(self) -> str:
        """Return what `checksum` must be."""
        content = self.model_dump(mode="json", exclude=set(_UNSEALED))
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def sealed(self) -> Self:
        """Return the manifest with the checksum and the version that its other fields give."""
        checksum = self.identity()
        return self.model_copy(update={"checksum": checksum, "version": checksum[:12]})


def file_checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a bundle but the manifest, by name."""
    return {p.name: sha256(p) for p in sorted(folder.iterdir()) if p.name != MANIFEST}
