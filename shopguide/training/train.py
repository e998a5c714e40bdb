"""Train the multi-task model of a spec and write its bundle."""

import json
import logging
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from shopguide.bundle import Contents, Preprocessing, Profile, write_bundle
from shopguide.bundle.bundle import PREDICTION, open_session, run_graph
from shopguide.bundle.manifest import TrainPeriod
from shopguide.bundle.write import task_entries
from shopguide.errors import ShopguideError
from shopguide.features.catalogue import ModelInput, model_inputs
from shopguide.logs.splits import instants
from shopguide.models import Inputs, Network
from shopguide.spec import Spec
from shopguide.training.balancing import require_shared
from shopguide.training.calibrate import fit_calibrators
from shopguide.training.export import export_graph
from shopguide.training.loop import Fit, Progress, fit
from shopguide.training.metrics import valid_auc, valid_spearman
from shopguide.training.preprocess import fit_preprocessing
from shopguide.training.profiling import profile_rows
from shopguide.training.reading import KEYS, read_split
from shopguide.training.samples import Samples, to_samples
from shopguide.training.statistics import label_statistics
from shopguide.training.summary import TrainingRecord, TrainingSummary

_GOLDEN_ROWS = 200
_PARITY_ROWS = 512
_LIBRARIES = ("shopguide", "torch", "torchjd", "onnx", "onnxruntime", "numpy", "pyarrow")
_log = logging.getLogger(__name__)


def train_mtl(
    spec: Spec, training_set: str | Path, out: str | Path, *, progress: Progress | None = None
) -> TrainingSummary:
    """Train on the training period, stop and calibrate on the validation period, write a bundle.

    The test period is not read. The same spec, training set and number of threads give
    the same bundle, byte for byte but its time of creation.

    Args:
        spec: checked spec; reads `tasks`, `features`, `model`, `training`, `split`, `seed`.
        training_set: folder that `materialize_features` wrote.
        out: folder of the bundle; it appears whole or not at all, without fusion weights.
        progress: called now and then with epoch, step and training loss.

    Raises:
        ShopguideError: a file or a column is missing, or the loss diverged.
        InvalidDataError: rows, labels or weights that cannot be trained on.
    """
    started = time.perf_counter()
    _require_a_weight(spec)
    require_shared(spec.training.balancer, spec.model.architecture)
    data = _read(spec, Path(training_set))
    with _torch_settings(spec.seed, spec.training.threads):
        network = _build(spec, data)
        loop = fit(network, data.train, data.valid, training=spec.training, progress=progress)
        parity_rows = torch.arange(min(len(data.valid), _PARITY_ROWS))
        graph, parity = export_graph(network, data.valid.take(parity_rows))
    contents, record = _finish(spec, data, graph, parity, loop, network)
    manifest = write_bundle(out, contents)
    seconds = time.perf_counter() - started
    _log.info(
        "training: %s, %d rows, %d steps, %.0f rows/s, version %s, %.1f s",
        spec.model.architecture, record.rows, record.steps, loop.rows_per_second,
        manifest.version, seconds,
    )  # fmt: skip
    return TrainingSummary(manifest.version, seconds, loop.rows_per_second, record)


@dataclass(frozen=True, slots=True)
class _Data:
    """All that training reads."""

    preprocessing: Preprocessing
    profile: Profile
    train: Samples
    valid: Samples
    valid_table: pa.Table


def _read(spec: Spec, folder: Path) -> _Data:
    inputs = model_inputs(spec)
    names, tasks = [column.name for column in inputs], list(spec.tasks)
    fraction = spec.training.row_fraction
    table = read_split(folder, "train", inputs=names, tasks=spec.tasks, fraction=fraction)
    valid_table = read_split(folder, "valid", inputs=names, tasks=spec.tasks)
    preprocessing = fit_preprocessing(
        table, inputs, min_count=spec.model.min_count, max_vocabulary=spec.model.max_vocabulary
    )
    train = to_samples(table, preprocessing, tasks)
    valid = to_samples(valid_table, preprocessing, tasks)
    profile = _profile(spec, folder, table, inputs, train)
    return _Data(preprocessing, profile, train, valid, valid_table)


def _profile(
    spec: Spec, folder: Path, table: pa.Table, inputs: tuple[ModelInput, ...], train: Samples
) -> Profile:
    start, end = instants(spec.split)["train"]
    rates = train.weight @ (train.labels > 0).float() / train.weight.sum()
    return profile_rows(
        table,
        inputs,
        train_period=TrainPeriod(start=start, end=end),
        log_end=_log_end(folder),
        label_rates=dict(zip(spec.tasks, rates.tolist(), strict=True)),
    )


def _log_end(folder: Path) -> datetime:
    """Return the time at which the log ends, from the training set's own account."""
    path = folder / "training_set.json"
    try:
        return datetime.fromisoformat(json.loads(path.read_bytes())["log_end"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ShopguideError(
            str(path), "does not say when the log ends (log_end)", "Write the training set again"
        ) from None


def _build(spec: Spec, data: _Data) -> Network:
    return Network(
        inputs=Inputs.of(data.preprocessing),
        tasks=spec.tasks,
        statistics=label_statistics(data.train, spec.tasks),
        model=spec.model,
    )


def _finish(
    spec: Spec, data: _Data, graph: bytes, parity: float, loop: Fit, network: Network
) -> tuple[Contents, TrainingRecord]:
    tasks = task_entries(spec)
    session = open_session(graph, threads=spec.training.threads)
    raw = run_graph(session, data.preprocessing, data.valid_table)
    calibrators, calibration = fit_calibrators(
        raw, data.valid_table, tasks, choice=spec.training.calibration
    )
    predictions = calibrators.apply(raw, tasks)
    record = TrainingRecord(
        rows=len(data.train),
        valid_rows=len(data.valid),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        steps=loop.steps,
        epochs=loop.epochs,
        best_epoch=loop.best_epoch,
        stopped=loop.stopped,
        valid_auc=valid_auc(predictions, data.valid_table, spec.binary_tasks()),
        valid_spearman=valid_spearman(raw, data.valid_table, spec.amount_tasks()),
        calibration=calibration,
        parity=parity,
    )
    contents = Contents(
        spec=spec,
        graph=graph,
        preprocessing=data.preprocessing,
        calibrators=calibrators,
        profile=data.profile,
        golden=_golden(data, predictions),
        training=record,
        versions={name: version(name) for name in _LIBRARIES}
        | {"python": platform.python_version()},
    )
    return contents, record


def _golden(data: _Data, predictions: Mapping[str, NDArray[np.float64]]) -> pa.Table:
    """Return whole requests of the validation period, up to 200 rows, with their predictions."""
    requests = data.valid_table.column("request_id").slice(0, _GOLDEN_ROWS + 1).to_pylist()
    rows = min(len(requests), _GOLDEN_ROWS)
    if len(requests) > _GOLDEN_ROWS:  # leave out a request that is cut in two, unless it is all
        rows = requests.index(requests[_GOLDEN_ROWS]) or _GOLDEN_ROWS
    names = list(dict.fromkeys((*KEYS, *data.preprocessing.names)))
    golden = data.valid_table.select(names).slice(0, rows)
    for task, values in predictions.items():
        golden = golden.append_column(PREDICTION.format(task), pa.array(values[:rows]))
    return golden


def _require_a_weight(spec: Spec) -> None:
    if not any(spec.training.task_weights.get(name, 1.0) > 0 for name in spec.tasks):
        raise ShopguideError(
            "training.task_weights", "the weight of every task is 0", "Give one a positive weight"
        )


@contextmanager
def _torch_settings(seed: int, threads: int | None) -> Iterator[None]:
    """Seed torch and bound its threads, and leave both as they were."""
    former = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(former)
