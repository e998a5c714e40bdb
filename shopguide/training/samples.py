"""Preprocessed rows: a batch of them as tensors, and all of them in a file of fixed-width rows."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from shopguide.bundle import Preprocessing
from shopguide.bundle.preprocessing import SHOWN_AT
from shopguide.errors import ShopguideError
from shopguide.training.reading import WEIGHT, SplitFile

BLOCK = 256
"""Rows that are read at once, and that stay together when blocks are shuffled or dealt out."""

_WIDTH = 4  # bytes of a code, a number, a label and a weight alike


@dataclass(frozen=True, slots=True)
class Samples:
    """Preprocessed rows. N rows, C categoricals, M numbers, T tasks.

    Args:
        categorical: codes [N, C], int32.
        numeric: scaled numbers [N, M], float32.
        labels: [N, T], float32.
        weight: importance of each row [N], float32, ≥ 0.
    """

    categorical: Tensor
    numeric: Tensor
    labels: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a row are: C codes, M numbers, T labels, a weight, 32 bits each."""

    categoricals: int
    numbers: int
    tasks: int

    @property
    def width(self) -> int:
        """Words in a row."""
        return self.categoricals + self.numbers + self.tasks + 1

    def split(self, rows: Tensor) -> Samples:
        """Return the parts of rows [N, width], int32, as views of it."""
        c, n = self.categoricals, self.categoricals + self.numbers
        floats = rows.view(torch.float32)
        return Samples(rows[:, :c], floats[:, c:n], floats[:, n:-1], floats[:, -1])


@dataclass(frozen=True, slots=True)
class SampleFile:
    """The preprocessed rows of a split, or of one process's share of its blocks.

    Args:
        file: without a name, so that it is gone when its process is.
        layout: of a row.
        rows: of the whole split, N.
        share: (rank, ranks): the file holds the blocks b with b mod ranks = rank.
    """

    file: IO[bytes]
    layout: Layout
    rows: int
    share: tuple[int, int] = (0, 1)

    def blocks(self) -> range:
        """Return the numbers of the blocks that the file holds, in its order."""
        rank, ranks = self.share
        return range(rank, -(-self.rows // BLOCK), ranks)

    def size(self, block: int) -> int:
        """Return the rows of a block."""
        return min(BLOCK, self.rows - block * BLOCK)

    def read(self, blocks: Sequence[int]) -> Tensor:
        """Return the rows of some blocks [rows, width], int32."""
        rows = torch.empty(sum(map(self.size, blocks)), self.layout.width, dtype=torch.int32)
        target: NDArray[np.int32] = rows.numpy()
        start = 0
        for block in blocks:
            stop = start + self.size(block)
            offset = block // self.share[1] * BLOCK * self.layout.width * _WIDTH
            _fill(self.file.fileno(), target[start:stop].data.cast("B"), offset)
            start = stop
        return rows


def _fill(descriptor: int, target: memoryview, offset: int) -> None:
    while len(target):
        count = os.preadv(descriptor, [target], offset)
        assert count, "the file of rows is shorter than it was when it was written"
        target, offset = target[count:], offset + count


def write_samples(
    folder: Path,
    split: SplitFile,
    preprocessing: Preprocessing,
    tasks: Sequence[str],
    *,
    share: tuple[int, int] = (0, 1),
) -> SampleFile:
    """Preprocess a split, a batch at a time, into a file beside the bundle.

    Args:
        folder: where to write it.
        split: rows with input columns, labels and weights.
        preprocessing: fitted on the training rows.
        tasks: label columns, in the order of the spec.
        share: (rank, ranks): write the blocks b with b mod ranks = rank.

    Raises:
        ShopguideError: the disk is full, or the folder cannot be written to.
    """
    layout = Layout(preprocessing.code_width, preprocessing.numeric_width, len(tasks))
    names = [*preprocessing.names, SHOWN_AT, *tasks, WEIGHT]
    rank, ranks = share
    start = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as the rows are read
        for table in split.batches(names):
            blocks = np.arange(start, start + table.num_rows) // BLOCK
            start += table.num_rows
            if ranks > 1:
                table = table.filter(pa.array(blocks % ranks == rank))
            file.write(_encode(table, preprocessing, tasks, layout).data)
        file.flush()
    except OSError as error:
        raise ShopguideError(
            str(folder),
            f"cannot hold the preprocessed rows: {error.strerror}",
            "Free space beside the bundle",
        ) from None
    return SampleFile(file, layout, split.rows, share)


def _encode(
    table: pa.Table, preprocessing: Preprocessing, tasks: Sequence[str], layout: Layout
) -> NDArray[np.int32]:
    codes, numbers = preprocessing.transform(table)
    c, n = layout.categoricals, layout.categoricals + layout.numbers
    rows = np.empty((table.num_rows, layout.width), dtype=np.int32)
    floats = rows.view(np.float32)
    rows[:, :c] = codes
    floats[:, c:n] = numbers
    for position, name in enumerate(tasks):
        floats[:, n + position] = as_floats(table, name)
    floats[:, -1] = as_floats(table, WEIGHT)
    return rows


def as_floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column of numbers [N]."""
    values: NDArray[np.float64] = table.column(name).cast(pa.float64()).to_numpy()
    return values
