"""Training rows as tensors, in memory once; batches are rows picked by index."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from shopguide.bundle import Preprocessing
from shopguide.training.reading import WEIGHT


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

    def take(self, rows: Tensor) -> "Samples":
        """Return the rows at the given positions."""
        return Samples(
            self.categorical.index_select(0, rows),
            self.numeric.index_select(0, rows),
            self.labels.index_select(0, rows),
            self.weight.index_select(0, rows),
        )


def to_samples(table: pa.Table, preprocessing: Preprocessing, tasks: Sequence[str]) -> Samples:
    """Preprocess a table's rows.

    Args:
        table: input columns, labels and weights.
        preprocessing: fitted on the training rows.
        tasks: label columns, in the order of the spec.
    """
    codes, numbers = preprocessing.transform(table)
    labels = np.stack([as_floats(table, name) for name in tasks], axis=1)
    return Samples(
        torch.from_numpy(codes.astype(np.int32)),
        torch.from_numpy(numbers),
        torch.from_numpy(labels.astype(np.float32)),
        torch.from_numpy(as_floats(table, WEIGHT).astype(np.float32)),
    )


def as_floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column of numbers [N]."""
    values: NDArray[np.float64] = table.column(name).cast(pa.float64()).to_numpy()
    return values
