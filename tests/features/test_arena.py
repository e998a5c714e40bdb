"""What is kept of entities is what was read, for as long as it may be."""

import numpy as np
import pytest

from shopguide.features.arena import Arena
from shopguide.features.catalogue import ModelInput
from shopguide.features.online_views import Group, OnlineView, Rows

COLUMNS = (
    ModelInput("price", "numeric", "item", ""),
    ModelInput("last", "recency", "item", ""),
    ModelInput("brand", "categorical", "item", ""),
)
GROUP = Group(("item_id",), (OnlineView("item_1", "shop_item_1", ("item_id",), COLUMNS),))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _rows(*numbers: float) -> Rows:
    rows = Rows.empty(GROUP, len(numbers))
    rows.numbers[:, 0] = numbers
    rows.words[:, 0] = [f"b{number}" for number in numbers]
    return rows


def _keep(arena: Arena, *numbers: float) -> None:
    arena.keep([(str(number),) for number in numbers], _rows(*numbers))


def _taken(arena: Arena, *numbers: float) -> tuple[Rows, list[int]]:
    rows, missing = arena.take([(str(number),) for number in numbers])
    return rows, missing.tolist()


def test_what_is_kept_comes_back_in_the_order_asked() -> None:
    arena = Arena(GROUP, seconds=10, most=100, clock=Clock())
    _keep(arena, 1, 2, 3)
    rows, missing = _taken(arena, 3, 9, 1)
    assert missing == [1]
    assert rows.numbers[[0, 2], 0].tolist() == [3, 1]
    assert rows.words[:, 0].tolist() == ["b3", None, "b1"]


def test_after_its_time_it_is_read_again() -> None:
    clock = Clock()
    arena = Arena(GROUP, seconds=10, most=100, clock=clock)
    _keep(arena, 1)
    clock.now = 9
    _keep(arena, 2)
    assert _taken(arena, 1, 2)[1] == []
    clock.now = 11
    assert _taken(arena, 1, 2)[1] == [0]


@pytest.mark.parametrize("seconds", [0, 10])
def test_it_never_holds_more_than_it_may(seconds: float) -> None:
    arena = Arena(GROUP, seconds=seconds, most=1000, clock=Clock())
    for first in range(0, 5000, 100):
        _keep(arena, *range(first, first + 100))
    kept = 5000 - len(_taken(arena, *range(5000))[1])
    assert kept == (1000 if seconds else 0)
    assert (len(_taken(arena, *range(4900, 5000))[1]) == 0) is bool(seconds)


def test_rows_that_grow_keep_what_they_had() -> None:
    arena = Arena(GROUP, seconds=10, most=10_000, clock=Clock())
    for number in range(2000):
        _keep(arena, number)
    rows, missing = _taken(arena, *range(2000))
    assert missing == []
    assert np.array_equal(rows.numbers[:, 0], np.arange(2000))


def test_cleared_it_knows_nothing() -> None:
    arena = Arena(GROUP, seconds=10, most=100, clock=Clock())
    _keep(arena, 1)
    arena.clear()
    assert _taken(arena, 1)[1] == [0]
