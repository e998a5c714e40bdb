"""Features that tell the label: each by name, with the AUC or the agreement that gives it away."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Array = NDArray[np.float64]

AGREEMENT = 0.999
"""Share of rows above which a feature that equals the label is the label."""

_GLANCE = 20_000  # rows on which most features are cleared
_SUSPICIOUS = 0.9  # an AUC below this on a glance is not one of `max_auc` on all rows
_FOLDS = 2
_CATEGORIES = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_dictionary,
    pa.types.is_null,
)


@dataclass(frozen=True, slots=True)
class Leak:
    """A feature that tells the label of a task.

    Args:
        feature: its column.
        task: whose label it tells.
        auc: of the feature alone, in the better direction; a category counts by the rate of its
            value in the other half of the rows.
        agreement: share of the rows where it equals the label; 0 for a category.
    """

    feature: str
    task: str
    auc: float
    agreement: float


def find_leaks(
    table: pa.Table, features: Sequence[str], outcomes: Mapping[str, Array], max_auc: float
) -> Iterator[Leak]:
    """Yield the features that predict a task's label too well to be known before it.

    That is an AUC of at least `max_auc`, or equality with the label on more than 99.9 % of the
    rows, and on more than half of the rows that have the outcome: where it is rare, a column of
    zeros equals the label nearly everywhere and tells nothing.

    Args:
        table: N rows with the features.
        features: columns to look at.
        outcomes: label of each task [N]; of an amount, whether there is one is looked for too.
        max_auc: in (0.5, 1].
    """
    glances = {task: _glance(label > 0) for task, label in outcomes.items()}
    for feature in features:
        column = _Column.of(table.column(feature))
        for task, label in outcomes.items():
            happened, glance = label > 0, glances[task]
            if not happened.any() or happened.all():
                continue
            auc = column.auc(happened, glance)
            if auc >= min(_SUSPICIOUS, max_auc):
                auc = column.auc(happened, None)
            agreement = column.agreement(label, happened)
            if auc >= max_auc or agreement > AGREEMENT:
                yield Leak(feature, task, round(auc, 6), round(agreement, 6))


@dataclass(frozen=True, slots=True)
class _Column:
    """A feature as codes of its categories, or as numbers with NaN for null.

    A list counts by its last value, which in a sequence is the newest.
    """

    codes: NDArray[np.int64] | None
    numbers: Array | None

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "_Column":
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            column = _newest(column)
        kind = column.type
        if any(is_kind(kind) for is_kind in _CATEGORIES):
            encoded = column.cast(pa.string()).dictionary_encode("encode").combine_chunks()
            if isinstance(encoded, pa.ChunkedArray):
                encoded = encoded.chunk(0)
            return cls(np.asarray(encoded.indices, dtype=np.int64), None)
        if pa.types.is_temporal(kind):
            column = column.cast(pa.int64())
        numbers = pc.cast(column, pa.float64(), safe=False).to_numpy()
        return cls(None, np.asarray(numbers, dtype=np.float64))

    def auc(self, happened: NDArray[np.bool_], rows: NDArray[np.int64] | None) -> float:
        """Return the AUC on some rows, or on all, in the better direction."""
        inside = slice(None) if rows is None else rows
        positive = happened[inside]
        if self.codes is not None:
            scores = _rates(self.codes[inside], positive)
        else:
            assert self.numbers is not None, "one of the two is there"
            found = self.numbers[inside]
            known = found[~np.isnan(found)]
            lowest = known.min(initial=0.0) - 1.0
            scores = np.where(np.isnan(found), lowest, found)  # null: a value of its own
        auc = _auc(scores, positive)
        return max(auc, 1 - auc)

    def agreement(self, label: Array, happened: NDArray[np.bool_]) -> float:
        if self.numbers is None:
            return 0.0
        equal = self.numbers == label
        share = float(equal.mean())
        return share if float(equal[happened].mean()) > 0.5 else 0.0


def _newest(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the last value of each list; null where there is none."""
    lists = column.combine_chunks()
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    last = pa.array(np.cumsum(sizes) - 1, mask=sizes == 0)
    return pa.chunked_array([lists.flatten().take(last)])


def _glance(happened: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """Choose rows evenly from those with and those without the outcome; None: take all."""
    if len(happened) <= _GLANCE:
        return None
    parts = []
    for group in (np.flatnonzero(happened), np.flatnonzero(~happened)):
        step = max(1, len(group) // (_GLANCE // 2))
        parts.append(group[::step])
    return np.sort(np.concatenate(parts))


def _rates(codes: NDArray[np.int64], positive: NDArray[np.bool_]) -> Array:
    """Score each row by the rate of its category among the rows of the other half [N]."""
    half = np.arange(len(codes)) % _FOLDS
    size, overall = int(codes.max(initial=0)) + 1, float(positive.mean())
    scores = np.empty(len(codes))
    for fold in range(_FOLDS):
        other, mine = codes[half != fold], codes[half == fold]
        rows = np.bincount(other, minlength=size)
        events = np.bincount(other, weights=positive[half != fold], minlength=size)
        rates = np.where(rows > 0, events / np.maximum(rows, 1), overall)
        scores[half == fold] = rates[mine]
    return scores


def _auc(scores: Array, positive: NDArray[np.bool_]) -> float:
    """Return P(score of a positive > of a negative) + half the ties."""
    events, others = np.sort(scores[positive]), np.sort(scores[~positive])
    if not len(events) or not len(others):
        return 0.5
    below = np.searchsorted(others, events, side="left").sum()
    upto = np.searchsorted(others, events, side="right").sum()
    return float((below + upto) / (2 * len(events) * len(others)))
