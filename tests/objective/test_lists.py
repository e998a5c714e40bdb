"""Ranking list by list gives what one sort of all rows gives, ties and short lists included."""

import numpy as np
import pytest

from shopguide.objective.contenders import contenders
from shopguide.objective.lists import Lists

Array = np.ndarray


def _rows(seed: int, longest: int, levels: int) -> tuple[Array, Array, Array, int]:
    """Shuffled rows of 200 requests, some empty, with scores that often tie."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, longest + 1, 200)
    request = rng.permutation(np.repeat(np.arange(200), sizes))
    tie = rng.integers(0, 5 * longest, len(request)).astype(np.uint64)
    scores = rng.integers(0, levels, len(request)) / levels
    return request, tie, scores, 200


def _in_order(request: Array, tie: Array, scores: Array) -> list[list[int]]:
    """Each request's rows by one sort of all: score, then tie, then row."""
    found: list[list[int]] = [[] for _ in range(200)]
    for row in np.lexsort((tie, -scores, request)):
        found[request[row]].append(int(row))
    return found


@pytest.mark.parametrize("k", [1, 5, 8, 9, 1000, None])
@pytest.mark.parametrize("longest", [1, 6, 40, 150])
@pytest.mark.parametrize("levels", [1, 4, 10**6])
def test_the_best_rows_are_those_of_one_sort(k: int | None, longest: int, levels: int) -> None:
    request, tie, scores, number = _rows(1, longest, levels)
    expected = _in_order(request, tie, scores)
    seen: set[int] = set()
    for block in Lists.of(request, tie, number).best(scores, k):
        for one, rows in zip(block.requests, block.rows, strict=True):
            inside = rows[rows < len(scores)].tolist()
            assert inside == expected[one][:k]
            assert rows[len(inside) :].tolist() == [len(scores)] * (len(rows) - len(inside))
            seen.add(int(one))
    assert seen == {n for n in range(number) if expected[n]}


def test_large_blocks_are_cut_and_no_row_is_lost() -> None:
    request = np.repeat(np.arange(30_000), 7)
    lists = Lists.of(request, np.zeros(len(request), dtype=np.uint64), 30_000)
    assert len(lists.blocks) > 3
    rows = np.concatenate([block.rows.ravel() for block in lists.blocks])
    assert sorted(rows) == list(range(len(request)))


@pytest.mark.parametrize("levels", [3, 10**6])
@pytest.mark.parametrize("k", [1, 3, 6])
def test_rows_that_are_left_out_reach_the_first_ranks_under_no_weights(levels: int, k: int) -> None:
    request, tie, _, number = _rows(2, 30, 1)
    rng = np.random.default_rng(3)
    shared = rng.normal(size=len(request))
    terms = np.array([shared + rng.normal(size=len(request)) for _ in range(3)])
    terms = np.round(terms * levels) / levels
    lists = Lists.of(request, tie, number)
    kept = contenders(lists, terms, k)
    assert 0.05 < kept.mean() < 0.9
    for weights in [*np.eye(3), *rng.dirichlet(np.ones(3), 100)]:
        for block in lists.best(weights @ terms, k):
            rows = block.rows[block.rows < len(request)]
            assert kept[rows].all()


def test_a_row_that_is_kept_can_matter() -> None:
    # two rows ahead of the third in one term each: under the other corner it is second or first
    terms = np.array([[3.0, 0.0, 2.0, 1.0], [0.0, 3.0, 2.0, 1.0]])
    lists = Lists.of(np.zeros(4, dtype=np.int64), np.arange(4, dtype=np.uint64), 1)
    assert contenders(lists, terms, 1).tolist() == [True, True, True, False]
    assert contenders(lists, terms, 2).tolist() == [True, True, True, True]
