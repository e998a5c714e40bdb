"""All that training reads: checked splits, fitted preprocessing, rows in files."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from shopguide.bundle import InputProfile, Preprocessing, Profile
from shopguide.bundle.manifest import TrainPeriod
from shopguide.features.catalogue import model_inputs
from shopguide.features.reading import TrainingSet
from shopguide.logs.splits import instants
from shopguide.models.heads import LabelStatistics
from shopguide.spec import Spec
from shopguide.training.continued import continued
from shopguide.training.distributed import Group
from shopguide.training.fitting import fit_inputs
from shopguide.training.preprocess import columns_read
from shopguide.training.reading import WEIGHT, SplitFile, open_split
from shopguide.training.samples import SampleFile, Samples, as_floats, write_samples
from shopguide.training.statistics import label_statistics, undo_drawing


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that training reads.

    Args:
        preprocessing: fitted on the training rows.
        profile: of the training rows.
        statistics: of the training labels, by task.
        rates: weighted mean of each task's label over the training rows [T].
        train: preprocessed training rows of this process.
        valid: preprocessed validation rows of this process.
        valid_split: the validation period as it was written.
    """

    preprocessing: Preprocessing
    profile: Profile
    statistics: dict[str, LabelStatistics]
    rates: Tensor
    train: SampleFile
    valid: SampleFile
    valid_split: SplitFile

    def identity(self) -> dict[str, object]:
        """Return what tells these rows from others."""
        fitted = hashlib.sha256(self.preprocessing.model_dump_json().encode()).hexdigest()
        return {
            "train_rows": self.train.rows,
            "valid_rows": self.valid.rows,
            "preprocessing": fitted[:16],
        }


@contextmanager
def gather(
    spec: Spec,
    training_set: TrainingSet,
    spool: Path,
    group: Group,
    former: Preprocessing | None = None,
) -> Iterator[Gathered]:
    """Read the training and the validation period; the files of rows live as long as the body.

    Args:
        spec: the spec.
        training_set: opened.
        spool: folder with room for the preprocessed rows: 4 bytes an input and row.
        group: the processes; each writes its share of the rows.
        former: inputs of a champion to go on from; None, or of other inputs: fitted anew.
    """
    names, tasks = columns_read(model_inputs(spec), spec.model), list(spec.tasks)
    drawn = {name: task.negative_rate for name, task in spec.binary_tasks().items()}
    train = open_split(
        training_set,
        "train",
        inputs=names,
        tasks=spec.tasks,
        fraction=spec.training.row_fraction,
        negatives={name: rate for name, rate in drawn.items() if rate < 1},
    )
    valid = open_split(training_set, "valid", inputs=names, tasks=spec.tasks)
    preprocessing, profiles = _fit(spec, train, group, former)
    labels = _labels(train, tasks)
    share = (group.rank, group.size)
    files = [write_samples(spool, s, preprocessing, tasks, share=share) for s in (train, valid)]
    try:
        yield Gathered(
            preprocessing,
            _profile(spec, training_set, labels, profiles),
            label_statistics(labels, spec.tasks),
            labels.weight @ labels.labels / labels.weight.sum(),
            files[0],
            files[1],
            valid,
        )
    finally:
        for file in files:
            file.file.close()


def _fit(
    spec: Spec, train: SplitFile, group: Group, former: Preprocessing | None
) -> tuple[Preprocessing, dict[str, InputProfile]]:
    """Fit in the leading process; the others are told."""
    if not group.leads:
        preprocessing = Preprocessing.model_validate_json(group.leaders_text(None))
        return preprocessing, {}
    preprocessing, profiles = fit_inputs(train, model_inputs(spec), spec.model)
    if former is not None:
        preprocessing = continued(preprocessing, former, spec.model) or preprocessing
    if group.size > 1:
        group.leaders_text(preprocessing.model_dump_json())
    return preprocessing, profiles


def _labels(train: SplitFile, tasks: list[str]) -> Samples:
    """Return the labels and weights of all training rows, without their inputs."""
    nothing = torch.empty(train.rows, 0)
    columns = [as_floats(train.columns(name), name).astype(np.float32) for name in (*tasks, WEIGHT)]
    labels, weight = np.stack(columns[:-1], axis=1), columns[-1]
    return Samples(nothing.int(), nothing, torch.from_numpy(labels), torch.from_numpy(weight))


def _profile(
    spec: Spec, training_set: TrainingSet, labels: Samples, inputs: dict[str, InputProfile]
) -> Profile:
    start, end = instants(spec.split)["train"]
    weight = undo_drawing(labels, spec.tasks)
    rates = weight @ (labels.labels > 0).double() / weight.sum()
    return Profile(
        rows=len(labels),
        train_period=TrainPeriod(start=start, end=end),
        log_end=training_set.log_end,
        label_rates=dict(zip(spec.tasks, rates.tolist(), strict=True)),
        inputs=inputs,
    )
