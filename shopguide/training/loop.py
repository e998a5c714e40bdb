"""The optimiser's loop: epochs, early stopping, best weights kept, checkpoints."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from shopguide.models import Network
from shopguide.spec.model import Training
from shopguide.training._allocator import keep_freed_memory
from shopguide.training.balancing import build_balancer
from shopguide.training.balancing.losses import Reference
from shopguide.training.checkpoint import read_checkpoint, write_checkpoint
from shopguide.training.distributed import Group, join_batch_norms
from shopguide.training.order import Order
from shopguide.training.precision import use_bfloat16
from shopguide.training.samples import SampleFile
from shopguide.training.step import DivergedError, Stepper
from shopguide.training.summary import EpochRecord
from shopguide.training.validation import of_kind, relative_loss, valid_losses

Stopped = Literal["epochs", "patience", "max_steps"]

_PROGRESS_EVERY = 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """How training is going.

    Args:
        epoch: from 1.
        step: steps taken.
        steps: steps planned; early stopping may spare some.
        loss: of the step, as it was minimised.
        rows_per_second: since the start.
        seconds_left: until the planned steps are done, validation left out.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    rows_per_second: float
    seconds_left: float


Progress = Callable[[Tick], None]
"""Called now and then."""

Probe = Callable[[Network, Any, int], None]
"""Called with the network, a batch and the step's number, before the step."""

AfterEpoch = Callable[[Sequence[EpochRecord]], None]
"""Called with all epochs so far; what it raises ends the run."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How the loop went; the network holds the best epoch's weights."""

    epochs: list[EpochRecord]
    best_epoch: int
    steps: int
    stopped: Stopped
    rows_per_second: float
    bfloat16: bool


@dataclass(frozen=True, slots=True)
class Course:
    """What a run is given.

    Args:
        train: rows to learn from.
        valid: rows that say when to stop.
        rates: of the training labels [T].
        seed: of the order and of dropout.
        categoricals: names of the inputs with an embedding, for messages.
        group: the processes.
        checkpoint: file to keep the state in; None: nowhere.
        resume: go on from the checkpoint, if there is one.
        identity: settings and data that a checkpoint belongs to.
        progress: told how it goes.
        probe: sees the network before each step; it must leave it as it is.
        after_epoch: told how each epoch did.
    """

    train: SampleFile
    valid: SampleFile
    rates: Tensor
    seed: int = 0
    categoricals: list[str] = field(default_factory=list)
    group: Group = field(default_factory=Group)
    checkpoint: Path | None = None
    resume: bool = False
    identity: Mapping[str, object] = field(default_factory=dict)
    progress: Progress | None = None
    probe: Probe | None = None
    after_epoch: AfterEpoch | None = None


def fit(network: Network, course: Course, training: Training) -> Fit:
    """Train a network in place, and leave it with the weights of its best epoch.

    Args:
        network: initialised; its untrained validation losses are the reference of the relative
            ones, because its heads start at the training rates.
        course: rows, and what surrounds the run.
        training: the spec's training section.

    Raises:
        DivergedError: the loss became infinite or NaN, in a step or after every epoch.
        ShopguideError: the checkpoint is of another run.
    """
    keep_freed_memory()
    run = _Run(network, course, training)
    if course.resume and course.checkpoint is not None and course.checkpoint.is_file():
        run.load(read_checkpoint(course.checkpoint, course.identity))
    stopped = run.stopped()
    while stopped is None:
        run.epoch()
        stopped = run.stopped()
        if stopped is None:
            run.save()
    if not run.best_epoch:  # else the untrained weights would pass for the best ones
        raise run.without_a_best()
    network.load_state_dict(run.best_state)
    rate = run.rows / max(run.seconds, 1e-9)
    return Fit(run.epochs, run.best_epoch, run.steps, stopped, rate, run.stepper.bfloat16)


class _Run:
    """The state of one training run."""

    def __init__(self, network: Network, course: Course, training: Training) -> None:
        self.network, self.course, self.training = network, course, training
        join_batch_norms(network, course.group)
        self.weights = torch.tensor(
            [training.task_weights.get(name, 1.0) for name in network.parents]
        )
        self.order = Order(
            course.train.rows,
            training.batch_size * course.group.size,
            training.shuffle_rows,
            course.seed,
        )
        planned = training.epochs * self.order.batches()
        self.limit = min(training.max_steps or planned, planned)
        before = valid_losses(network, course.valid, course.group)
        self.reference = Reference(before.float(), of_kind(network, "amount"))
        self.stepper = self._stepper()
        self.epochs: list[EpochRecord] = []
        self.best, self.best_epoch = math.inf, 0
        self.best_state = _copy(network)
        self.batch, self.loss = 0, 0.0  # steps taken in this epoch, and their summed loss
        self.steps = 0
        self.rows, self.seconds = 0, 0.0  # of this process's life

    def _stepper(self) -> Stepper:
        return Stepper(
            self.network,
            self.training,
            build_balancer(self.training.balancer, self.weights, self.reference),
            rates=self.course.rates,
            smoothed=of_kind(self.network, "binary").float(),
            bfloat16=use_bfloat16(self.training),
            seed=self.course.seed,
            group=self.course.group,
            categoricals=self.course.categoricals,
        )

    def stopped(self) -> Stopped | None:
        """Say why the run is over, if it is."""
        done = len(self.epochs)
        if done and self.steps == self.training.max_steps:
            return "max_steps"
        if done and done - self.best_epoch >= self.training.patience:
            return "patience"
        return "epochs" if done == self.training.epochs else None

    def epoch(self) -> None:
        """Run one pass over the training rows, or the rest of one, then validate."""
        number, started = len(self.epochs) + 1, time.perf_counter()
        self.network.train()
        for batch in self.order.read(self.course.train, number, skip=self.batch):
            if self.steps >= self.limit:
                break
            if self.course.probe is not None:
                self.course.probe(self.network, batch, self.steps)
            loss = self.stepper(batch, self.steps, self._rate(self.steps))
            self.loss += loss
            self.batch, self.steps = self.batch + 1, self.steps + 1
            self.rows += len(batch) * self.course.group.size
            if self.steps % _PROGRESS_EVERY == 0:
                self._report(number, loss, self.seconds + time.perf_counter() - started)
            if self.training.checkpoint_every and self.steps % self.training.checkpoint_every == 0:
                self.save()
        self.seconds += time.perf_counter() - started
        self._end_epoch(number)
        _log.info(
            "epoch %d: %d steps, training loss %.4f, relative validation loss %.4f, %.1f s",
            number, self.steps, self.epochs[-1].train_loss, self.epochs[-1].valid_loss,
            time.perf_counter() - started,
        )  # fmt: skip

    def _end_epoch(self, number: int) -> None:
        losses = valid_losses(self.network, self.course.valid, self.course.group)
        watch = self.stepper.watch
        record = EpochRecord(
            epoch=number,
            steps=self.steps,
            train_loss=self.loss / max(self.batch, 1),
            valid_loss=relative_loss(losses, self.reference, self.weights),
            valid_losses=dict(zip(self.network.parents, losses.tolist(), strict=True)),
            task_weights=watch.task_weights(),
            gradient_cosines=watch.gradient_cosines(),
        )
        self.epochs.append(record)
        if record.valid_loss < self.best:
            self.best, self.best_epoch = record.valid_loss, number
            self.best_state = _copy(self.network)
        self.stepper.balancer.end_epoch()
        watch.start()
        self.batch, self.loss = 0, 0.0
        if self.course.after_epoch is not None:
            self.course.after_epoch(self.epochs)

    def without_a_best(self) -> DivergedError:
        """Return the error for a run in which no epoch ended with a finite validation loss."""
        losses = self.epochs[-1].valid_losses.items()
        tasks = [f"{name} {loss}" for name, loss in losses if not math.isfinite(loss)]
        return DivergedError(
            "training.learning_rate",
            f"at {self.training.learning_rate:g} no epoch ended with a finite validation loss: "
            f"{', '.join(tasks)}",
            "Lower it by a factor of 3, or look for extreme labels and weights in the validation "
            "period",
        )

    def _rate(self, step: int) -> float:
        """Return the factor of the learning rates for a step, from 0."""
        rising = min((step + 1) / (self.training.warmup_steps + 1), 1.0)
        done = min(step / self.limit, 1.0)
        falling = {
            "constant": 1.0,
            "linear": 1 - done,
            "cosine": 0.5 * (1 + math.cos(math.pi * done)),
        }
        return rising * falling[self.training.schedule]

    def _report(self, epoch: int, loss: float, seconds: float) -> None:
        if self.course.progress is None:
            return
        rate = self.rows / max(seconds, 1e-9)
        left = (self.limit - self.steps) * self.order.batch_size / rate
        self.course.progress(Tick(epoch, self.steps, self.limit, loss, rate, left))

    _KEPT = ("best", "best_epoch", "best_state", "batch", "steps", "loss")

    def save(self) -> None:
        """Write a checkpoint, where one is asked for."""
        if self.course.checkpoint is None or not self.course.group.leads:
            return
        stepper = self.stepper
        state = {name: getattr(self, name) for name in self._KEPT} | {
            "network": self.network.state_dict(),
            "optimizer": stepper.optimizer.state(),
            "balancer": stepper.balancer.state(),
            "kept": stepper.kept,
            "watch": stepper.watch.state(),
            "reference": self.reference.losses,
            "bfloat16": stepper.bfloat16,
            "epochs": [record.model_dump(mode="json") for record in self.epochs],
        }
        write_checkpoint(self.course.checkpoint, state, self.course.identity)

    def load(self, state: dict[str, Any]) -> None:
        """Go on where a checkpoint was written."""
        for name in self._KEPT:
            setattr(self, name, state[name])
        self.network.load_state_dict(state["network"])
        self.reference.losses.copy_(state["reference"])
        stepper = self.stepper
        stepper.optimizer.load(state["optimizer"])
        stepper.balancer.load(state["balancer"])
        stepper.watch.load(state["watch"])
        stepper.kept, stepper.bfloat16 = state["kept"], state["bfloat16"]
        self.epochs = [EpochRecord.model_validate(record) for record in state["epochs"]]
        _log.info("resumed at step %d, epoch %d", self.steps, len(self.epochs) + 1)


def _copy(network: Network) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}
