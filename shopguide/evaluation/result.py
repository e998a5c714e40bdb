"""What was measured about a bundle."""

from dataclasses import asdict, dataclass
from datetime import datetime

from shopguide.evaluation.calibration import Reliability
from shopguide.evaluation.categories import CategoryMetrics
from shopguide.evaluation.rankings import Ranking
from shopguide.evaluation.slices import SliceMetrics
from shopguide.evaluation.task_metrics import TaskMetrics, as_lists, finite

FORMAT = 1
"""Version of evaluation.json."""


@dataclass(frozen=True, slots=True)
class Uncalibrated:
    """What a task's predictions were before its calibrator.

    Args:
        calibrator: kind of the calibrator.
        pcoc: predicted over observed.
        reliability: the calibration curve.
    """

    calibrator: str
    pcoc: float
    reliability: Reliability

    def to_dict(self) -> dict[str, object]:
        """Return the fields as JSON has them."""
        return {
            "calibrator": self.calibrator,
            "pcoc": finite(self.pcoc),
            "ece": finite(self.reliability.ece),
            "reliability": as_lists(asdict(self.reliability)),
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured.

    Args:
        title: of the shop.
        bundle: name, version and checksum.
        file: Parquet file that was read.
        checksum: SHA-256 of the file.
        split: train, valid or test.
        rows: impressions.
        requests: lists.
        users: of the lists.
        first: time of the earliest impression.
        last: time of the latest.
        k: places of a list that count.
        units: of the amounts, by task.
        titles: of the tasks.
        tasks: metrics by binary and amount task.
        uncalibrated: by task that has a calibrator, what there was before it.
        categories: metrics by category task.
        rankings: by the score, where λ was solved, and by each task.
        slices: of the columns that were named.
        notes: limits of the data.
    """

    title: str
    bundle: dict[str, str]
    file: str
    checksum: str
    split: str
    rows: int
    requests: int
    users: int
    first: datetime
    last: datetime
    k: int
    units: dict[str, str]
    titles: dict[str, str]
    tasks: dict[str, TaskMetrics]
    uncalibrated: dict[str, Uncalibrated]
    categories: dict[str, CategoryMetrics]
    rankings: list[Ranking]
    slices: list[SliceMetrics]
    notes: list[str]

    def to_json(self) -> dict[str, object]:
        """Return evaluation.json: numbers that are not defined are null."""
        return {
            "format": FORMAT,
            "title": self.title,
            "bundle": self.bundle,
            "data": {
                "file": self.file,
                "sha256": self.checksum,
                "split": self.split,
                "rows": self.rows,
                "requests": self.requests,
                "users": self.users,
                "first": self.first.isoformat(),
                "last": self.last.isoformat(),
            },
            "k": self.k,
            "tasks": {name: found.to_dict() for name, found in self.tasks.items()},
            "uncalibrated": {n: found.to_dict() for n, found in self.uncalibrated.items()},
            "categories": {name: found.to_dict() for name, found in self.categories.items()},
            "rankings": [found.to_dict() for found in self.rankings],
            "slices": [part.to_dict() for part in self.slices],
            "notes": self.notes,
        }
