"""The shop that benchmarks/training.py trains on: planted effects, Zipf ids, three funnel tasks."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

SIZES = (200_000, 100_000, 50_000, 30_000, 20_000, 10_000, 2000, 1000, 500, 200, 100, 50, 20, 10,
         10, 10)  # fmt: skip
NUMBERS, TASKS = 10, ("click", "cart", "purchase")
_TEST_ROWS = 100_000


def write(folder: Path, rows: int) -> None:
    """Write train and test rows as codes, numbers and labels (`.npy`), and train as Parquet."""
    rng = np.random.default_rng(7)
    effects = [rng.normal(size=(size, 3)) * 0.5 for size in SIZES]
    slopes = rng.normal(size=(NUMBERS, 3)) * 0.25
    for split, count in (("train", rows), ("test", _TEST_ROWS)):
        codes = np.stack([zipf(rng, size, count) for size in SIZES], axis=1).astype(np.int32)
        numbers = rng.normal(size=(count, NUMBERS)).astype(np.float32)
        labels = _labels(rng, codes, numbers, effects, slopes)
        for name, array in (("codes", codes), ("numbers", numbers), ("labels", labels)):
            np.save(folder / f"{split}_{name}.npy", array)
    columns = {f"c{c}": pa.array(np.load(folder / "train_codes.npy")[:, c]) for c in range(16)}
    columns |= {f"n{n}": pa.array(np.load(folder / "train_numbers.npy")[:, n]) for n in range(10)}
    labels = np.load(folder / "train_labels.npy")
    columns |= {task: pa.array(labels[:, t]) for t, task in enumerate(TASKS)}
    pq.write_table(pa.table(columns), folder / "train.parquet")


def read(
    folder: Path, split: str
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Return codes [N, 16], numbers [N, 10] and labels [N, 3]."""
    codes, numbers, labels = (
        np.load(folder / f"{split}_{name}.npy") for name in ("codes", "numbers", "labels")
    )
    return codes, numbers, labels


def zipf(rng: np.random.Generator, size: int, rows: int) -> NDArray[np.int64]:
    """Draw codes whose frequency falls as 1/rank: a log-uniform rank."""
    ranks = np.exp(rng.random(rows) * np.log(size + 1)) - 1
    return np.minimum(ranks.astype(np.int64), size - 1)


def _labels(
    rng: np.random.Generator,
    codes: NDArray[np.int32],
    numbers: NDArray[np.float32],
    effects: list[NDArray[np.float64]],
    slopes: NDArray[np.float64],
) -> NDArray[np.float32]:
    score = numbers @ slopes
    for column, effect in enumerate(effects):
        score += effect[codes[:, column]]
    score[:, 0] += np.sin(2 * numbers[:, 0]) * effects[6][codes[:, 6], 1]  # a cross
    chance = 1 / (1 + np.exp(-(score - np.array([1.5, 0.7, 0.3]))))
    happened = rng.random(chance.shape) < chance
    return np.cumprod(happened, axis=1).astype(np.float32)
