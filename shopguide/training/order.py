"""The order of the training rows: shuffled without holding them, the same for any processes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shopguide.training.samples import BLOCK, SampleFile, Samples

SHARDS = 8
"""Parts that the blocks are dealt into; every batch has rows of each, and a process has some."""


@dataclass(frozen=True, slots=True)
class Order:
    """Batches of an epoch: blocks are shuffled, then the rows of a window of blocks.

    Block b belongs to shard b mod 8. Each shard shuffles its own blocks; a window holds an equal
    share of every shard, and every batch takes an equal share of every shard's rows in it. So the
    batches do not depend on how many processes divide the shards, and no process holds more
    than its part of a window. One window is a perfect shuffle.

    Args:
        rows: N, of the whole split.
        batch_size: most rows of a batch, over all processes.
        window: rows held at a time, over all processes.
        seed: of the order; each epoch has another.
    """

    rows: int
    batch_size: int
    window: int
    seed: int

    def batches(self) -> int:
        """Return the number of batches of an epoch."""
        return sum(self._batches(blocks) for blocks in self._windows())

    def read(self, file: SampleFile, epoch: int, *, skip: int = 0) -> Iterator[Samples]:
        """Yield the process's part of each batch of an epoch, but the first `skip` of them."""
        shards = range(file.share[0], SHARDS, file.share[1])
        orders = {shard: self._shuffled_blocks(shard, epoch) for shard in shards}
        start = 0
        for number, blocks in enumerate(self._windows()):
            batches, stop = self._batches(blocks), start + blocks
            if skip >= batches:
                skip -= batches
            else:
                parts = {s: order[_part(start, stop, s)] for s, order in orders.items()}
                for rows in self._deal(file, parts, batches, (epoch, number), skip):
                    yield file.layout.split(rows)
                skip = 0
            start = stop

    def _windows(self) -> list[int]:
        """Return the number of blocks of each window."""
        blocks = -(-self.rows // BLOCK)
        windows = -(-blocks * BLOCK // max(self.window, BLOCK * SHARDS))
        bounds = [w * blocks // windows for w in range(windows + 1)]
        return np.diff(bounds).tolist()

    def _batches(self, blocks: int) -> int:
        rows = min(blocks * BLOCK, self.rows)
        return max(1, min(-(-rows // self.batch_size), rows // 2))

    def _shuffled_blocks(self, shard: int, epoch: int) -> NDArray[np.int64]:
        blocks = np.arange(shard, -(-self.rows // BLOCK), SHARDS)
        return np.random.default_rng((self.seed, epoch, shard)).permutation(blocks)

    def _deal(
        self,
        file: SampleFile,
        parts: dict[int, NDArray[np.int64]],
        batches: int,
        key: tuple[int, int],
        skip: int,
    ) -> Iterator[Tensor]:
        """Read a window, and yield its batches from `skip` on."""
        rows = file.read([int(block) for part in parts.values() for block in part])
        positions, batch_of, first = [], [], 0
        for shard, part in parts.items():
            size = sum(file.size(int(block)) for block in part)
            shuffled = np.random.default_rng((self.seed, *key, shard)).permutation(size)
            positions.append(first + shuffled)
            phase = (shard + 0.5) / SHARDS  # else all shards' batches would be large together
            batch_of.append(((np.arange(size) + phase) * batches / max(size, 1)).astype(np.int64))
            first += size
        assigned = np.concatenate(batch_of)
        order = torch.from_numpy(np.concatenate(positions)[np.argsort(assigned, kind="stable")])
        sizes = np.bincount(assigned, minlength=batches)
        for chosen in torch.split(order, sizes.tolist())[skip:]:
            yield rows.index_select(0, chosen)


def _part(start: int, stop: int, shard: int) -> slice:
    """Return which of a shard's blocks stand for the blocks [start, stop) of all shards."""
    return slice(-(-(start - shard) // SHARDS), -(-(stop - shard) // SHARDS))
