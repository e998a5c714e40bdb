"""Train the multi-task model of a spec and write its bundle."""

import logging
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from shopguide.bundle import CategoricalInput, Contents, ListInput, write_bundle
from shopguide.bundle.golden import GOLDEN_ROWS, PREDICTION
from shopguide.bundle.graph import open_session, run_graph
from shopguide.bundle.manifest import MANIFEST
from shopguide.bundle.preprocessing import SHOWN_AT
from shopguide.bundle.verify import task_entries
from shopguide.errors import ShopguideError
from shopguide.features.catalogue import request_inputs
from shopguide.features.reading import TrainingSet
from shopguide.features.versions import feature_service
from shopguide.files import refuse_foreign
from shopguide.models import Inputs, Network
from shopguide.models.registry import ARCHITECTURES
from shopguide.spec import Spec
from shopguide.training.balancing import require_shared
from shopguide.training.calibrate import fit_calibrators
from shopguide.training.continued import (
    Former,
    dump_weights,
    load_weights,
    read_former,
    widths_of,
)
from shopguide.training.distributed import Group, process_group
from shopguide.training.export import export_graph
from shopguide.training.gather import Gathered, gather
from shopguide.training.loop import AfterEpoch, Course, Fit, Probe, Progress, fit
from shopguide.training.metrics import valid_auc, valid_spearman
from shopguide.training.reading import KEYS, WEIGHT
from shopguide.training.shrink import shrink
from shopguide.training.summary import TrainingRecord, TrainingSummary

_PARITY_ROWS = 512
_LIBRARIES = ("shopguide", "torch", "torchjd", "onnx", "onnxruntime", "numpy", "pyarrow")
_NOT_IDENTITY = {"training": {"threads", "checkpoint_every", "candidates", "study"}}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What surrounds a run without changing its result.

    Args:
        progress: called now and then.
        checkpoint: file to keep the run's state in, removed at the end; None: nowhere.
        resume: go on from that file, if it is there.
        probe: sees the network before each step.
        candidates: models of which this is one.
        after_epoch: told how each epoch did; what it raises ends the run.
        champion: bundle that `training.start: champion` goes on from; None: there is none.
    """

    progress: Progress | None = None
    checkpoint: Path | None = None
    resume: bool = False
    probe: Probe | None = None
    candidates: int = 1
    after_epoch: AfterEpoch | None = None
    champion: Path | None = None


def train_mtl(
    spec: Spec,
    training_set: str | Path,
    out: str | Path,
    *,
    progress: Progress | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> TrainingSummary:
    """Train on the training period, stop and calibrate on the validation period, write a bundle.

    The test period is not read. The same spec, training set and number of threads give
    the same bundle, byte for byte but its time of creation, whether or not the run was resumed.
    Under torchrun the processes train one model, and the leading one writes.

    Args:
        spec: checked spec; reads `tasks`, `features`, `model`, `training`, `split`, `seed`.
        training_set: folder that `materialize_features` wrote.
        out: folder of the bundle; it appears whole or not at all, without fusion weights.
        progress: called now and then.
        checkpoint: file to keep the run's state in, each `training.checkpoint_every` steps or each
            epoch; it is removed when the bundle is written.
        resume: go on from the checkpoint, if there is one.

    Raises:
        ShopguideError: a file or a column is missing, the loss diverged, or the checkpoint is of
            another run.
        InvalidDataError: rows, labels or weights that cannot be trained on.
    """
    file = None if checkpoint is None else Path(checkpoint)
    around = Surroundings(progress, file, resume)
    return train(spec, Path(training_set), Path(out), around)


def train(spec: Spec, training_set: Path, out: Path, around: Surroundings) -> TrainingSummary:
    """Train and write a bundle; see `train_mtl`."""
    started = time.perf_counter()
    _require_a_weight(spec)
    require_shared(spec.training.balancer, spec.model.architecture)
    _require_places(out, around.checkpoint)
    former = _former(spec, around)
    inputs = former.preprocessing if former else None
    with (
        process_group() as group,
        _torch_settings(spec.seed, spec.training.threads),
        _enough_memory(),
        gather(spec, TrainingSet.open(training_set, spec), out.parent, group, inputs) as gathered,
    ):
        network, started_from = begin_network(spec, gathered, former)
        course = _course(spec, gathered, group, around, started_from)
        loop = fit(network, course, spec.training)
        _log.info("best epoch %d of %d", loop.best_epoch, len(loop.epochs))
        summary = None
        if group.leads:
            summary = _write(
                spec, gathered, network, loop, out, around, group, started, started_from
            )
        summary = _told(group, summary)
    if around.checkpoint is not None and group.leads:
        around.checkpoint.unlink(missing_ok=True)
    return summary


def _require_places(out: Path, checkpoint: Path | None) -> None:
    refuse_foreign(out, marker=MANIFEST)
    if checkpoint is not None and checkpoint.is_dir():
        raise ShopguideError(
            str(checkpoint), "is a directory; the run's state goes there", "Move it, or rename out"
        )


@contextmanager
def _enough_memory() -> Iterator[None]:
    """Say that there was too little memory, which torch does in a RuntimeError of its own."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        raise ShopguideError(
            "model",
            "the network does not fit into the memory that there is",
            "Lower model.hidden, model.experts, model.embedding_dim, features.hashing or "
            "training.batch_size",
        ) from None


def _former(spec: Spec, around: Surroundings) -> Former | None:
    if spec.training.start != "champion":
        return None
    if around.champion is None:
        _log.info("training.start is champion, and none was given: from scratch")
        return None
    former = read_former(around.champion)
    if former is None:
        _log.info("the champion keeps no weights: from scratch, and the next one goes on")
    return former


def begin_network(
    spec: Spec, gathered: Gathered, former: Former | None
) -> tuple[Network, str | None]:
    """Return a network to train, and the checksum of the champion that it goes on from.

    Args:
        spec: reads `tasks` and `model`.
        gathered: its inputs are the champion's, where they can be.
        former: what the champion hands on; None: from scratch.
    """
    if former is not None:
        sets = ARCHITECTURES[spec.model.architecture].embedding_sets(len(spec.tasks))
        widths = {**widths_of(former, sets), **spec.model.embeddings}
        model = spec.model.model_copy(update={"embeddings": widths})
        network = build_network(spec.model_copy(update={"model": model}), gathered)
        if load_weights(network, gathered.preprocessing, former):
            return network, former.checksum
        _log.warning("the champion is of another network: from scratch")
    return build_network(spec, gathered), None


def build_network(spec: Spec, gathered: Gathered) -> Network:
    """Return an untrained network for the gathered inputs."""
    return Network(
        inputs=Inputs.of(gathered.preprocessing, spec.model),
        tasks=spec.tasks,
        statistics=gathered.statistics,
        model=spec.model,
    )


def identity_of(spec: Spec) -> dict[str, object]:
    """Return what of a spec decides the weights that a run ends with, as JSON."""
    sections = ("tasks", "features", "split", "model", "training", "seed")
    document = spec.model_dump(mode="json", include=set(sections))
    for section, names in _NOT_IDENTITY.items():
        for name in names:
            document[section].pop(name)
    return document


def _course(
    spec: Spec, gathered: Gathered, group: Group, around: Surroundings, started_from: str | None
) -> Course:
    served = gathered.preprocessing.served()
    return Course(
        train=gathered.train,
        valid=gathered.valid,
        rates=gathered.rates,
        seed=spec.seed,
        categoricals=[column.name for column in served.coded if not _shares(column)],
        group=group,
        checkpoint=around.checkpoint,
        resume=around.resume,
        identity=identity_of(spec)
        | gathered.identity()
        | {"processes": group.size, "started_from": started_from},
        progress=around.progress if group.leads else None,
        probe=around.probe,
        after_epoch=around.after_epoch,
    )


def _write(
    spec: Spec,
    gathered: Gathered,
    network: Network,
    loop: Fit,
    out: Path,
    around: Surroundings,
    group: Group,
    started: float,
    started_from: str | None,
) -> TrainingSummary:
    first = gathered.valid.read(gathered.valid.blocks()[: -(-_PARITY_ROWS // 256)])
    samples = gathered.valid.layout.split(first)
    graph, parity = export_graph(network, samples, request_inputs(spec))
    graph, lost = _stored(spec, graph, gathered)
    raw, table = _score(spec, graph, gathered)
    tasks = task_entries(spec)
    calibrators, calibration = fit_calibrators(raw, table, tasks, choice=spec.training.calibration)
    predictions = calibrators.apply(raw, tasks)
    record = TrainingRecord(
        rows=gathered.train.rows,
        valid_rows=gathered.valid.rows,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        steps=loop.steps,
        epochs=loop.epochs,
        best_epoch=loop.best_epoch,
        stopped=loop.stopped,
        valid_auc=valid_auc(predictions, table, spec.binary_tasks()),
        valid_spearman=valid_spearman(raw, table, spec.amount_tasks()),
        calibration=calibration,
        parity=parity,
        processes=group.size,
        bfloat16=loop.bfloat16,
        candidates=around.candidates,
        export_auc_loss=lost,
        task_relations=network.relations(),
        started_from=started_from,
    )
    contents = Contents(
        spec=spec,
        feature_service=feature_service(spec),
        graph=graph,
        preprocessing=gathered.preprocessing.served(),
        calibrators=calibrators,
        profile=gathered.profile,
        golden=_golden(gathered, predictions),
        training=record,
        versions={name: version(name) for name in _LIBRARIES}
        | {"python": platform.python_version()},
        weights=dump_weights(network) if spec.training.start == "champion" else None,
    )
    manifest = write_bundle(out, contents)
    seconds = time.perf_counter() - started
    _log.info(
        "training: %s, %d rows, %d steps, %.0f rows/s, version %s, %.1f s",
        spec.model.architecture, record.rows, record.steps, loop.rows_per_second,
        manifest.version, seconds,
    )  # fmt: skip
    return TrainingSummary(manifest.version, seconds, loop.rows_per_second, record)


def _told(group: Group, summary: TrainingSummary | None) -> TrainingSummary:
    """Return the leading process's summary in every process."""
    if summary is not None:
        if group.size > 1:
            group.leaders_text(TrainingSummary.dump(summary))
        return summary
    return TrainingSummary.parse(group.leaders_text(None))


def _stored(spec: Spec, graph: bytes, gathered: Gathered) -> tuple[bytes, dict[str, float]]:
    """Return the graph as the spec stores it, and the AUC that this costs by binary task."""
    smaller = shrink(graph, spec.training.export)
    if smaller is graph:
        return graph, {}
    before, after = (
        valid_auc(*_score(spec, each, gathered), spec.binary_tasks()) for each in (graph, smaller)
    )
    lost = {name: before[name] - after[name] for name in before}
    told = ", ".join(f"{name} {loss:+.5f}" for name, loss in lost.items())
    times = len(graph) / len(smaller)
    _log.info("export: %s, %.1f times smaller, AUC lost: %s", spec.training.export, times, told)
    return smaller, lost


def _score(
    spec: Spec, graph: bytes, gathered: Gathered
) -> tuple[dict[str, NDArray[np.float64]], pa.Table]:
    """Return the raw predictions for the validation period, and its keys, labels and weights."""
    session = open_session(graph, threads=spec.training.threads)
    served = gathered.preprocessing.served()
    narrow = [*KEYS, *spec.tasks, WEIGHT]
    predictions: dict[str, list[NDArray[np.float64]]] = {}
    tables = []
    names = [*narrow, *served.names, SHOWN_AT]
    for batch in gathered.valid_split.batches(names):
        for name, values in run_graph(session, served, batch).items():
            predictions.setdefault(name, []).append(values)
        tables.append(batch.select(narrow))
    raw = {name: np.concatenate(parts) for name, parts in predictions.items()}
    return raw, pa.concat_tables(tables)


def _golden(gathered: Gathered, predictions: Mapping[str, NDArray[np.float64]]) -> pa.Table:
    """Return whole requests of the validation period, up to 200 rows, with their predictions."""
    names = list(dict.fromkeys((*KEYS, *gathered.preprocessing.served().names)))
    table = next(gathered.valid_split.batches(names)).slice(0, GOLDEN_ROWS + 1)
    requests = table.column("request_id").to_pylist()
    rows = min(len(requests), GOLDEN_ROWS)
    if len(requests) > GOLDEN_ROWS:  # leave out a request that is cut in two, unless it is all
        rows = requests.index(requests[GOLDEN_ROWS]) or GOLDEN_ROWS
    golden = table.select(names).slice(0, rows)
    for task, values in predictions.items():
        golden = golden.append_column(PREDICTION.format(task), pa.array(values[:rows]))
    return golden


def _shares(column: CategoricalInput | ListInput) -> bool:
    return isinstance(column, ListInput) and column.of is not None


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
