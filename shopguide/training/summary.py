"""What a training run has to say for itself."""

import json
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field

from shopguide.bundle.document import Document


class EpochRecord(Document):
    """One pass over the training rows.

    Args:
        steps: optimiser steps so far.
        train_loss: mean over the epoch's steps of the loss that was minimised.
        valid_loss: weighted mean over the tasks of the relative validation loss: 1 is a model that
            predicts the training rates for every row.
        valid_losses: negative log-likelihood by task, in nats a row (an amount: a positive row).
        task_weights: mean weight of each task's loss in what was minimised.
        gradient_cosines: by `TASK ~ TASK`, the mean cosine of the angle between the gradients of
            the shared representation; below 0 the tasks pull against each other.
    """

    epoch: int
    steps: int
    train_loss: float
    valid_loss: float
    valid_losses: dict[str, float]
    task_weights: dict[str, float] = Field(default_factory=dict)
    gradient_cosines: dict[str, float] = Field(default_factory=dict)


class CalibrationRecord(Document):
    """Whether a task's calibrator was kept, and why.

    Args:
        kept: kind of calibrator, or `none`.
        before: log-loss a row, or for an amount |predicted ÷ observed − 1|; mean of two halves of
            the validation users.
        after: the same with the best calibrator, each half by one fitted on the other.
    """

    kept: Literal["isotonic", "platt", "beta", "temperature", "scale", "none"]
    before: float
    after: float


class TrainingRecord(Document):
    """`training.json`: all but the times, so that equal runs write equal bundles.

    Args:
        rows: training rows used.
        parameters: numbers that were learnt.
        best_epoch: the epoch whose weights were kept.
        stopped: why the training ended.
        valid_auc: AUC by binary task on the validation period, calibrated as served.
        valid_spearman: rank correlation by amount task on the validation period.
        parity: largest difference of the exported graph from the trained network, on real rows.
        processes: that trained together.
        bfloat16: whether the shared layers were computed in it.
        candidates: models of which this one was chosen, itself included.
        export_auc_loss: AUC by binary task before calibration that storing the weights in fewer
            bits costs; empty with float32.
        task_relations: correlation of every two tasks that the architecture learnt, by their
            names; empty if it learns none.
        started_from: checksum of the champion whose weights it went on from; None: from scratch.
    """

    rows: int
    valid_rows: int
    parameters: int
    steps: int
    epochs: list[EpochRecord]
    best_epoch: int
    stopped: Literal["epochs", "patience", "max_steps"]
    valid_auc: dict[str, float]
    valid_spearman: dict[str, float]
    calibration: dict[str, CalibrationRecord]
    parity: float
    processes: int = 1
    bfloat16: bool = False
    candidates: int = 1
    export_auc_loss: dict[str, float] = Field(default_factory=dict)
    task_relations: dict[str, dict[str, float]] = Field(default_factory=dict)
    started_from: str | None = None


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """A finished training run.

    Args:
        version: of the bundle it wrote.
        seconds: wall time of the whole run.
        rows_per_second: training rows a second of the optimiser's loop, validation left out.
        record: everything else.
    """

    version: str
    seconds: float
    rows_per_second: float
    record: TrainingRecord

    @property
    def valid_auc(self) -> dict[str, float]:
        """AUC by binary task on the validation period."""
        return self.record.valid_auc

    def metrics(self) -> dict[str, float]:
        """Return what a tracking server shows: figures of the best epoch, by name."""
        record = self.record
        best = record.epochs[record.best_epoch - 1]
        named = {
            "valid_auc": record.valid_auc,
            "valid_spearman": record.valid_spearman,
            "valid_loss": best.valid_losses,
            "task_weight": best.task_weights,
            "gradient_cosine": {k.replace(" ~ ", "_"): v for k, v in best.gradient_cosines.items()},
        }
        found = {
            f"{kind}_{task}": v for kind, values in named.items() for task, v in values.items()
        }
        return found | {
            "relative_valid_loss": best.valid_loss,
            "rows_per_second": self.rows_per_second,
            "candidates": float(record.candidates),
        }

    def dump(self) -> str:
        """Return the summary as JSON."""
        return (
            json.dumps([self.version, self.seconds, self.rows_per_second])
            + "\n"
            + (self.record.model_dump_json())
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the summary of a JSON text of `dump`."""
        first, record = text.split("\n", 1)
        version, seconds, rate = json.loads(first)
        return cls(version, seconds, rate, TrainingRecord.model_validate_json(record))
