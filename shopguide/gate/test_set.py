"""Read and check the test period."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.features.reading import TrainingSet
from shopguide.files import sha256
from shopguide.objective.replay import Requests, needed_columns
from shopguide.spec import Spec


@dataclass(frozen=True, slots=True)
class TestSet:
    """The labelled impressions that both models are judged on.

    Args:
        path: of the Parquet file.
        checksum: SHA-256 of the file.
        first: time of the earliest impression.
        last: time of the latest impression.
    """

    path: Path
    checksum: str
    table: pa.Table
    requests: Requests
    first: datetime
    last: datetime

    def events(self, task: str) -> int:
        """Return the number of impressions whose outcome is above zero."""
        return int(np.count_nonzero(self.requests.outcomes[task]))


def read_test_set(path: str | Path, spec: Spec, columns: Iterable[str]) -> TestSet:
    """Read the impressions of the test period.

    Args:
        path: a training set's directory, of which `test.parquet` is read, or such a file.
        spec: reads the tasks.
        columns: what to read beside keys, weights, times and outcomes; absent ones are skipped.

    Raises:
        ShopguideError: there is no such file, it is not Parquet, or a needed column is missing.
        InvalidDataError: a time is missing, or an outcome is not what its task's kind allows.
    """
    file = test_file(path)
    keys = ["shown_at", *needed_columns(spec)]
    present = _columns(file)
    _require(file, [name for name in keys if name not in present])
    wanted = [name for name in dict.fromkeys([*keys, *columns]) if name in present]
    table = pq.read_table(file, columns=wanted)
    requests = Requests.from_table(table, spec, where=str(file))
    _check_binary(file, spec, requests)
    times = pc.min_max(table.column("shown_at")).as_py()
    if times["min"] is None or table.column("shown_at").null_count:
        raise InvalidDataError(
            f"{file}, column shown_at", "holds nulls", "Build the training set again"
        )
    return TestSet(file, sha256(file), table, requests, times["min"], times["max"])


def test_file(path: str | Path) -> Path:
    """Return the test set's Parquet file, given it or the directory of its training set."""
    return TrainingSet.open(path).file("test") if Path(path).is_dir() else Path(path)


def _columns(file: Path) -> list[str]:
    try:
        names: list[str] = pq.read_schema(file).names
    except FileNotFoundError:
        raise ShopguideError(
            str(file), "there is no such file", "Give the directory that `shopguide features` wrote"
        ) from None
    except (OSError, pa.ArrowInvalid):
        raise ShopguideError(
            str(file), "is not a readable Parquet file", "Build the training set again"
        ) from None
    return names


def _require(file: Path, missing: list[str]) -> None:
    if missing:
        raise ShopguideError(
            str(file), f"lacks the columns {', '.join(missing)}", "Build the training set again"
        )


def _check_binary(file: Path, spec: Spec, requests: Requests) -> None:
    for task in spec.binary_tasks():
        outcome = requests.outcomes[task]
        bad = (outcome != 0) & (outcome != 1)
        if bad.any():
            row = int(np.argmax(bad))
            raise InvalidDataError(
                f"{file}, column {task}, row {row + 1}",
                f"holds {outcome[row]:g}, and a binary task allows 0 and 1",
                "Mend the log and build the training set again",
            )
