"""The two arms of a comparison: what each ranking brings on the same requests, user by user."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shopguide.errors import ShopguideError
from shopguide.objective.replay import Requests, goal_tasks, user_sums
from shopguide.spec.objective import Objective

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Arms:
    """Per-user sums of both rankings; U users, T tasks.

    Args:
        tasks: names of the sums.
        reference: sums of the ranking that scores J = 1 [U, T].
        challenger: sums of the ranking to judge [U, T].
        requests: requests of each user [U].
    """

    tasks: tuple[str, ...]
    reference: Array
    challenger: Array
    requests: Array

    def columns(self) -> Array:
        """Return reference, challenger and requests side by side [U, 2T + 1]."""
        return np.column_stack([self.reference, self.challenger, self.requests])

    def swapped(self, users: NDArray[np.bool_]) -> "Arms":
        """Return the arms with the two rankings exchanged for some users [U]."""
        exchange = users[:, None]
        return replace(
            self,
            reference=np.where(exchange, self.challenger, self.reference),
            challenger=np.where(exchange, self.reference, self.challenger),
        )


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of the test set with one value of a column.

    Args:
        users: users with a row in it.
        arms: what these rows bring, over all requests: the number cancels in a relative change.
    """

    column: str
    value: str
    users: int
    arms: Arms


def rankings(requests: Requests, reference: Array, challenger: Array, objective: Objective) -> Arms:
    """Return the arms of two rankings.

    Args:
        requests: logged requests, N rows.
        reference: score of each row [N], finite.
        challenger: likewise.
        objective: goals and discount.
    """
    tasks = goal_tasks(objective.goals)
    return Arms(
        tasks=tuple(tasks),
        reference=user_sums(requests, reference, tasks, objective.discount),
        challenger=user_sums(requests, challenger, tasks, objective.discount),
        requests=requests.requests_per_user(),
    )


def slices(
    table: pa.Table,
    requests: Requests,
    scores: tuple[Array, Array],
    objective: Objective,
    columns: Sequence[str],
) -> Iterator[Slice]:
    """Yield each value of each column as a slice, largest first; nulls are the value "missing".

    Ranks are those in the whole list: a slice of items counts what these items bring where they
    stand, not a list of their own.

    Args:
        table: rows of `requests`, with the columns.
        requests: logged requests.
        scores: of the reference and of the challenger [N].
        objective: goals and discount.
        columns: of the table.

    Raises:
        ShopguideError: a column is not in the table.
    """
    user_of_row = requests.user[requests.request]
    for column in columns:
        for value, inside in _values(table, column):
            part = replace(requests, weight=requests.weight * inside)
            arms = rankings(part, scores[0], scores[1], objective)
            users = len(np.unique(user_of_row[inside]))
            yield Slice(column, value, users, arms)


def require_slice(table: pa.Table, column: str) -> None:
    """Refuse a column of `gate.slices` that a table lacks."""
    if column not in table.column_names:
        raise ShopguideError(
            f"spec gate.slices: {column}",
            "the test set has no such column",
            "Name a column of the training set, such as an attribute of the user",
        )


def _values(table: pa.Table, column: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    require_slice(table, column)
    texts = table.column(column).cast(pa.string()).fill_null("missing").combine_chunks()
    counted = pc.value_counts(texts).to_pylist()
    for entry in sorted(counted, key=lambda e: (-e["counts"], e["values"])):
        inside = pc.equal(texts, entry["values"]).to_numpy(zero_copy_only=False)
        yield entry["values"], np.asarray(inside, dtype=np.bool_)
