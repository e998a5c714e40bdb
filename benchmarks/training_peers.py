"""Peers of benchmarks/training.py, each with its own trainer; run by a Python that has them."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import training_shop as shop
from numpy.typing import NDArray

Seconds = tuple[float, float]
"""Wall and processor seconds of the epoch; the latter say what a busy machine hides."""

Result = tuple[Seconds, NDArray[np.float64]]
"""Seconds, and predictions for the test rows [N, 3]."""


def clock() -> Seconds:
    """Return the wall's and the processor's clock."""
    return time.perf_counter(), time.process_time()


def since(started: Seconds) -> Seconds:
    """Return what has passed on both clocks."""
    now = clock()
    return now[0] - started[0], now[1] - started[1]


EXPERTS, HIDDEN, TOWER, RATE, DECAY = 4, [128, 64], [32], 1e-3, 1e-5


def rechub(folder: Path, width: int, batch: int) -> Result:
    """torch-rechub's trainer over its row-wise data set."""
    from torch.utils.data import DataLoader
    from torch_rechub.utils.data import TorchDataset

    codes, numbers, labels = shop.read(folder, "train")
    rows = TorchDataset(_columns(codes, numbers), labels)
    return _rechub(folder, width, DataLoader(rows, batch_size=batch, shuffle=True))


def rechub_parquet(folder: Path, width: int, batch: int) -> Result:
    """torch-rechub's trainer over its Parquet loader, which does not shuffle."""
    from torch_rechub.data.dataset import ParquetIterableDataset

    rows = ParquetIterableDataset([folder / "train.parquet"], batch_size=batch)

    def batches() -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        for columns in rows:
            yield columns, torch.stack([columns.pop(task) for task in shop.TASKS], dim=1)

    return _rechub(folder, width, batches())


def _rechub(folder: Path, width: int, loader: object) -> Result:
    from torch_rechub.basic.features import DenseFeature, SparseFeature
    from torch_rechub.models.multi_task import MMOE
    from torch_rechub.trainers import MTLTrainer

    features: list[object] = [
        SparseFeature(f"c{c}", vocab_size=size, embed_dim=width)
        for c, size in enumerate(shop.SIZES)
    ]
    features += [DenseFeature(f"n{n}") for n in range(shop.NUMBERS)]
    kinds = ["classification"] * 3
    towers = [{"dims": TOWER}] * 3
    model = MMOE(features, kinds, EXPERTS, {"dims": HIDDEN}, towers)
    trainer = MTLTrainer(
        model, kinds, optimizer_params={"lr": RATE, "weight_decay": DECAY}, n_epoch=1
    )
    model.train()
    started = clock()
    trainer.train_one_epoch(loader)
    seconds = since(started)
    model.eval()
    codes, numbers, _ = shop.read(folder, "test")
    return seconds, _predicted(
        lambda a, b: model({k: torch.from_numpy(v) for k, v in _columns(a, b).items()}),
        codes,
        numbers,
    )


def deepctr(folder: Path, width: int, batch: int) -> Result:
    """deepctr-torch's model and its `fit`."""
    return _deepctr(folder, width, batch, batch_norm=False)


def deepctr_bn(folder: Path, width: int, batch: int) -> Result:
    """The same with batch normalisation."""
    return _deepctr(folder, width, batch, batch_norm=True)


def _deepctr(folder: Path, width: int, batch: int, *, batch_norm: bool) -> Result:
    import requests

    requests.get = _offline  # it asks a package server on import
    from deepctr_torch.inputs import DenseFeat, SparseFeat
    from deepctr_torch.models import MMOE

    features: list[object] = [
        SparseFeat(f"c{c}", vocabulary_size=size, embedding_dim=width)
        for c, size in enumerate(shop.SIZES)
    ]
    features += [DenseFeat(f"n{n}", 1) for n in range(shop.NUMBERS)]
    model = MMOE(
        features,
        num_experts=EXPERTS,
        expert_dnn_hidden_units=tuple(HIDDEN),
        gate_dnn_hidden_units=(),
        tower_dnn_hidden_units=tuple(TOWER),
        l2_reg_embedding=0,
        l2_reg_linear=0,
        dnn_use_bn=batch_norm,
        task_types=("binary",) * 3,
        task_names=shop.TASKS,
    )
    model.compile("adam", ["binary_crossentropy"] * 3)
    codes, numbers, labels = shop.read(folder, "train")
    started = clock()
    model.fit(_columns(codes, numbers), labels, batch_size=batch, epochs=1, verbose=0)
    seconds = since(started)
    codes, numbers, _ = shop.read(folder, "test")
    return seconds, model.predict(_columns(codes, numbers), 8192).astype(np.float64)


def _offline(*_: object) -> None:
    raise OSError


def _columns(
    codes: NDArray[np.int32], numbers: NDArray[np.float32]
) -> dict[str, NDArray[np.generic]]:
    columns: dict[str, NDArray[np.generic]] = {f"c{c}": codes[:, c] for c in range(codes.shape[1])}
    return columns | {f"n{n}": numbers[:, n] for n in range(numbers.shape[1])}


@torch.no_grad()
def _predicted(
    model: Callable[..., torch.Tensor], codes: NDArray[np.int32], numbers: NDArray[np.float32]
) -> NDArray[np.float64]:
    parts = []
    for start in range(0, len(codes), 8192):
        chunk = slice(start, start + 8192)
        parts.append(model(codes[chunk], numbers[chunk]).double().numpy())
    return np.concatenate(parts)


PEERS: dict[str, Callable[[Path, int, int], Result]] = {
    "torch_rechub_bn": rechub,
    "torch_rechub_parquet_bn": rechub_parquet,
    "deepctr_torch": deepctr,
    "deepctr_torch_bn": deepctr_bn,
}


def main() -> None:
    """Run one peer; its result goes to a file, for it prints things of its own."""
    name, folder, width, batch, seed, out = sys.argv[1:]
    torch.manual_seed(int(seed))
    np.random.seed(int(seed))  # noqa: NPY002 - peers draw from it
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        seconds, predictions = PEERS[name](Path(folder), int(width), int(batch))
    np.savez(out, seconds=seconds, predictions=predictions)


if __name__ == "__main__":
    main()
