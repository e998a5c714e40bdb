"""Read a split of a training set."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.features.reading import TrainingSet
from shopguide.objective.reading import (
    instants_of,
    known,
    numbers,
    read_table,
    require_ids,
)
from shopguide.spec import Spec

KEYS = ("request_id", "user_id", "item_id", "shown_at", "sample_weight")
OPTIONAL = ("position", "propensity")


def read_split(
    training_set: str | Path, split: str, spec: Spec, columns: Iterable[str] = ()
) -> tuple[pa.Table, Path]:
    """Return a split's keys, outcomes, and further columns; and the file that it was read from.

    Args:
        training_set: its directory, or a Parquet file of its kind, whatever the split.
        split: train, valid or test.
        spec: reads the tasks and the objective's outcomes.
        columns: what else to read.

    Raises:
        ShopguideError: there is no such file, it is not Parquet, or a column is missing, of another
            type, or without a key, a time or a weight.
        InvalidDataError: it holds no impression.
    """
    file = Path(training_set)
    file = TrainingSet.open(file).file(split) if file.is_dir() else file
    present = _names(file)
    needed = [*KEYS, *spec.tasks, *spec.objective.outcomes, *columns]
    missing = sorted({name for name in needed if name not in present})
    if missing:
        raise ShopguideError(
            str(file), f"lacks the columns {', '.join(missing)}", "Build the training set again"
        )
    wanted = dict.fromkeys([*needed, *(name for name in OPTIONAL if name in present)])
    table = read_table(file, list(wanted))
    if not table.num_rows:
        raise InvalidDataError(
            str(file), "holds no impression", f"Widen split.{split}, or name another --split"
        )
    require_ids(table, str(file))
    instants_of(table, str(file))
    for name in ("sample_weight", *OPTIONAL, *spec.tasks, *spec.objective.outcomes):
        if name in table.column_names:
            numbers(table, name, str(file))
    known(table.column("sample_weight"), str(file), "sample_weight")
    return table, file


def floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column of numbers [N]; null is NaN."""
    column = table.column(name).cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def codes(columns: Iterable[pa.ChunkedArray]) -> tuple[list[NDArray[np.int64]], list[str]]:
    """Return the index of each value in one list of names that all columns share.

    Args:
        columns: of strings, no nulls.
    """
    parts = list(columns)
    texts = [chunk for part in parts for chunk in part.cast(pa.string()).chunks]
    together = pa.chunked_array(texts, pa.string())
    encoded = together.combine_chunks().dictionary_encode()
    indices = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return np.split(indices, ends), encoded.dictionary.to_pylist()


def _names(file: Path) -> list[str]:
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
