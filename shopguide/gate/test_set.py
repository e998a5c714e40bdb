"""Read and check the test period."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shopguide.errors import ShopguideError
from shopguide.features.reading import TrainingSet
from shopguide.files import sha256
from shopguide.gate.rows import ROW_ID, check_rows
from shopguide.objective.reading import instants_of, read_table
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
        ShopguideError: there is no such file, it is not Parquet, or a needed column, an id or a
            time is missing.
        InvalidDataError: an outcome is not what its task's kind allows or lacks what it follows, a
            row stands twice, or a feature is infinite.
    """
    file = test_file(path)
    keys = ["shown_at", *needed_columns(spec)]
    present = _columns(file)
    _require(file, [name for name in keys if name not in present])
    wanted = [name for name in dict.fromkeys([*keys, ROW_ID, *columns]) if name in present]
    table = read_table(file, wanted)
    requests = Requests.from_table(table, spec, where=str(file))
    times = pc.min_max(instants_of(table, str(file))).as_py()
    check_rows(table, spec, requests, str(file))
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
