"""Whether the rows of a test set can be what happened: each once, and nothing before its cause."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError
from shopguide.objective.replay import Requests
from shopguide.spec import Spec
from shopguide.spec.tasks import CategoryTask

ROW_ID = "row_id"

_MEND = "Mend the log and build the training set again"


def check_rows(table: pa.Table, spec: Spec, requests: Requests, where: str) -> None:
    """Refuse rows that stand twice, outcomes that cannot be, and infinite numbers.

    Args:
        table: N rows, with the keys and whatever the models read.
        spec: reads the tasks.
        requests: of the same rows.
        where: what messages call the table.

    Raises:
        InvalidDataError: a line a problem, each with its first row.
    """
    problems = [
        *_repeated(table, where),
        *_not_binary(spec, requests, where),
        *_without_cause(spec, requests, where),
        *_infinite(table, where),
    ]
    if problems:
        raise InvalidDataError.combined(problems)


def _repeated(table: pa.Table, where: str) -> Iterator[InvalidDataError]:
    keys = {"request_id and item_id": _codes(table.column("request_id"))}
    item = _codes(table.column("item_id"))
    keys["request_id and item_id"] *= int(item.max()) + 1
    keys["request_id and item_id"] += item
    if ROW_ID in table.column_names:
        keys[ROW_ID] = _codes(table.column(ROW_ID))
    for name, key in keys.items():
        place = _codes(pa.chunked_array([key]))
        # codes count up as keys appear, so one that is no new maximum was there before
        before = np.concatenate([[-1], np.maximum.accumulate(place)[:-1]])
        yield from _problem(
            place <= before, where, name, "stands there twice", "Keep each row once"
        )


def _not_binary(spec: Spec, requests: Requests, where: str) -> Iterator[InvalidDataError]:
    for task in spec.binary_tasks():
        outcome = requests.outcomes[task]
        bad = (outcome != 0) & (outcome != 1)
        found = outcome[int(np.argmax(bad))]
        what = f"holds {found:g}, and a binary task allows 0 and 1"
        yield from _problem(bad, where, task, what, _MEND)


def _without_cause(spec: Spec, requests: Requests, where: str) -> Iterator[InvalidDataError]:
    for name, task in spec.tasks.items():
        if isinstance(task, CategoryTask) or task.after is None:
            continue
        bad = (requests.outcomes[name] > 0) & (requests.outcomes[task.after] == 0)
        what = f"happened without {task.after}, which it comes after (tasks.{name}.after)"
        yield from _problem(bad, where, name, what, _MEND)


def _infinite(table: pa.Table, where: str) -> Iterator[InvalidDataError]:
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_floating(column.type):
            bad = np.isinf(np.asarray(column.to_numpy(), dtype=np.float64))
            yield from _problem(bad, where, name, "is infinite", "Leave unknown numbers empty")


def _problem(
    bad: NDArray[np.bool_], where: str, column: str, what: str, fix: str
) -> Iterator[InvalidDataError]:
    number = int(bad.sum())
    if number:
        row = int(np.argmax(bad)) + 1
        text = f"{what} ({number:,} rows in all)"
        yield InvalidDataError(f"{where}, column {column}, row {row}", text, fix)


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Number the values of a column in the order in which they appear [N]; null is one more."""
    encoded = column.combine_chunks().dictionary_encode("encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return np.asarray(encoded.indices, dtype=np.int64)
