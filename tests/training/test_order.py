"""The order of the rows: every row once an epoch, anew each epoch, whatever the processes."""

from tempfile import TemporaryFile

import numpy as np
import pytest
from numpy.typing import NDArray

from shopguide.training.order import Order
from shopguide.training.samples import BLOCK, Layout, SampleFile


def numbered(rows: int, rank: int = 0, ranks: int = 1) -> SampleFile:
    """Return a file of rows whose one code is the row's number."""
    layout = Layout(categoricals=1, numbers=0, tasks=0)
    numbers = np.arange(rows, dtype=np.int32)
    content = np.stack([numbers, np.zeros_like(numbers)], axis=1)
    mine = numbers // BLOCK % ranks == rank
    file = TemporaryFile()  # noqa: SIM115 - closed after reading
    file.write(np.ascontiguousarray(content[mine]).tobytes())
    file.flush()
    return SampleFile(file, layout, rows, (rank, ranks))


def batches(order: Order, file: SampleFile, epoch: int, skip: int = 0) -> list[NDArray[np.int32]]:
    with file.file:
        return [b.categorical[:, 0].numpy() for b in order.read(file, epoch, skip=skip)]


@pytest.mark.parametrize("window", [2048, 5000, 1_000_000])
@pytest.mark.parametrize("rows", [2, 5, 255, 2049, 20_000])
def test_every_row_comes_once_in_batches_of_nearly_the_wanted_size(rows: int, window: int) -> None:
    order = Order(rows, batch_size=128, window=window, seed=3)
    found = batches(order, numbered(rows), epoch=1)
    assert len(found) == order.batches()
    assert sorted(np.concatenate(found)) == list(range(rows))
    sizes = [len(batch) for batch in found]
    if rows > 1000:
        assert max(sizes) <= 128 + 8  # a row more of each shard at most
        assert min(sizes) >= 100


def test_a_batch_has_rows_of_all_the_window_and_an_epoch_another_order() -> None:
    order = Order(20_000, batch_size=256, window=1_000_000, seed=3)
    first, second = (batches(order, numbered(20_000), epoch) for epoch in (1, 2))
    assert not np.array_equal(first[0], second[0])
    # the mean of 256 of 20,000 numbers has the standard error 20,000 / √(12·256) = 361
    assert all(abs(batch.mean() - 10_000) < 5 * 361 for batch in first)
    assert np.array_equal(
        np.concatenate(first), np.concatenate(batches(order, numbered(20_000), 1))
    )


@pytest.mark.parametrize("skip", [0, 1, 7, 8, 20])
def test_skipping_batches_is_as_good_as_reading_them(skip: int) -> None:
    order = Order(10_000, batch_size=250, window=3000, seed=1)
    whole, rest = batches(order, numbered(10_000), 2), batches(order, numbered(10_000), 2, skip)
    assert len(rest) == len(whole) - skip
    assert all(np.array_equal(a, b) for a, b in zip(whole[skip:], rest, strict=True))


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_processes_together_have_the_batches_of_one(ranks: int) -> None:
    order = Order(10_000, batch_size=500, window=4096, seed=1)
    alone = batches(order, numbered(10_000), 1)
    together = [batches(order, numbered(10_000, rank, ranks), 1) for rank in range(ranks)]
    for batch, *parts in zip(alone, *together, strict=True):
        assert sorted(batch) == sorted(np.concatenate(parts))


def test_memory_does_not_grow_with_the_rows() -> None:
    order = Order(200_000, batch_size=512, window=8192, seed=1)
    windows = order._windows()
    assert max(windows) * BLOCK <= 8192
    assert sum(windows) == -(-200_000 // BLOCK)
