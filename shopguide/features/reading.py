"""Open a training set: the one way by which training, solver, gate and service test read it."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from shopguide.errors import ShopguideError
from shopguide.features.training_set import FORMAT, SUMMARY
from shopguide.features.versions import feature_service
from shopguide.files import sha256
from shopguide.spec import Spec

_AGAIN = "Write the training set again with `shopguide features`"


class _Summary(BaseModel):
    """What a reader needs of training_set.json; the rest of it is for people."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    format: int
    feature_service: str
    log_end: str
    checksums: dict[str, str]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A whole training set.

    Args:
        folder: where it is.
        feature_service: Feast feature service whose inputs it has.
        log_end: time at which its log ends: the latest that a feature can know.
        checksums: SHA-256 of each file, as it was written.
    """

    folder: Path
    feature_service: str
    log_end: datetime
    checksums: dict[str, str]

    @classmethod
    def open(cls, folder: str | Path, spec: Spec | None = None) -> Self:
        """Read training_set.json.

        Args:
            folder: that `shopguide features` wrote.
            spec: if given, the one whose catalogue the inputs must have.

        Raises:
            ShopguideError: there is no training set, it is cut off or of another format, or it was
                made with another catalogue of features.
        """
        path = Path(folder) / SUMMARY
        if not path.is_file():
            raise ShopguideError(
                str(path),
                "there is no such file",
                "Give the folder that `shopguide features` wrote",
            )
        try:
            summary = _Summary.model_validate(json.loads(path.read_bytes()))
            log_end = datetime.fromisoformat(summary.log_end)
        except (ValidationError, ValueError) as error:
            first = str(error.errors()[0]["loc"]) if isinstance(error, ValidationError) else "JSON"
            raise ShopguideError(str(path), f"is not readable ({first})", _AGAIN) from None
        if summary.format != FORMAT:
            found = f"format {summary.format}, expected {FORMAT}"
            raise ShopguideError(str(path), found, _AGAIN)
        if spec is not None and summary.feature_service != feature_service(spec):
            raise ShopguideError(
                str(path),
                f"was made with the features {summary.feature_service}, "
                f"and the spec's are {feature_service(spec)}",
                "Give the spec that it was made with, or write the training set again",
            )
        return cls(Path(folder), summary.feature_service, log_end, summary.checksums)

    def file(self, split: str) -> Path:
        """Return the Parquet file of a split, after a look at its checksum.

        Args:
            split: train, valid or test.

        Raises:
            ShopguideError: it is missing, or is not what was written.
        """
        path = self.folder / f"{split}.parquet"
        if not path.is_file():
            raise ShopguideError(str(path), "there is no such file", _AGAIN)
        if self.checksums.get(path.name) != sha256(path):
            raise ShopguideError(
                str(path), f"is not the file that {SUMMARY} describes: its checksum differs", _AGAIN
            )
        return path
