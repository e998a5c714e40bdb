"""The optimiser's loop: index batches, early stopping, best weights kept."""

import copy
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from shopguide.errors import ShopguideError
from shopguide.models import Network
from shopguide.spec.model import Training
from shopguide.training.balancing import BALANCERS, Balancer
from shopguide.training.samples import Samples
from shopguide.training.summary import EpochRecord

Progress = Callable[[int, int, float], None]
"""Called now and then with epoch, step and training loss."""

Stopped = Literal["epochs", "patience", "max_steps"]

_VALID_BATCH = 16_384
_PROGRESS_EVERY = 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fit:
    """How the loop went; the network holds the best epoch's weights."""

    epochs: list[EpochRecord]
    best_epoch: int
    steps: int
    stopped: Stopped
    rows_per_second: float


def fit(
    network: Network,
    train: Samples,
    valid: Samples,
    *,
    training: Training,
    progress: Progress | None = None,
) -> Fit:
    """Train a network in place, and leave it with the weights of its best epoch.

    Args:
        network: initialised; its untrained validation losses are the reference of the relative
            ones, because its heads start at the training rates.
        train: rows to learn from.
        valid: rows that say when to stop.
        training: the spec's training section.
        progress: told how it goes.

    Raises:
        ShopguideError: the loss became infinite or NaN.
    """
    run = _Run(network, train, valid, training, progress)
    epochs: list[EpochRecord] = []
    best, best_state = math.inf, copy.deepcopy(network.state_dict())
    best_epoch = 0
    stopped: Stopped = "epochs"
    for epoch in range(1, training.epochs + 1):
        record = run.epoch(epoch)
        epochs.append(record)
        if record.valid_loss < best:
            best, best_epoch = record.valid_loss, epoch
            best_state = copy.deepcopy(network.state_dict())
        if run.steps == training.max_steps:
            stopped = "max_steps"
            break
        if epoch - best_epoch >= training.patience:
            stopped = "patience"
            break
    network.load_state_dict(best_state)
    return Fit(epochs, best_epoch, run.steps, stopped, run.rows / max(run.seconds, 1e-9))


class _Run:
    """The state of one training run."""

    def __init__(
        self,
        network: Network,
        train: Samples,
        valid: Samples,
        training: Training,
        progress: Progress | None,
    ) -> None:
        self.network, self.train, self.valid = network, train, valid
        self.training, self.progress = training, progress
        names = list(network.parents)
        self.weights = torch.tensor([training.task_weights.get(name, 1.0) for name in names])
        self.balancer: Balancer = BALANCERS[training.balancer](self.weights)
        self.batches = math.ceil(len(train) / training.batch_size)
        self.limit = min(training.max_steps or math.inf, training.epochs * self.batches)
        self.optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            fused=True,
        )
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.smoothing = _Smoothing(train, network, training.label_smoothing)
        self.steps = self.rows = 0
        self.seconds = 0.0
        self.reference = valid_losses(network, valid)

    def epoch(self, epoch: int) -> EpochRecord:
        """Run one pass over the training rows, then validate."""
        self.network.train()
        started, total, batches = time.perf_counter(), 0.0, 0
        for rows in self._batches():
            loss = self._step(self.train.take(rows))
            total, batches = total + loss, batches + 1
            if self.progress is not None and self.steps % _PROGRESS_EVERY == 0:
                self.progress(epoch, self.steps, loss)
        self.seconds += time.perf_counter() - started
        losses = valid_losses(self.network, self.valid)
        record = EpochRecord(
            epoch=epoch,
            steps=self.steps,
            train_loss=total / batches,
            valid_loss=self._finite(self._relative(losses)),
            valid_losses=dict(zip(self.network.parents, losses.tolist(), strict=True)),
        )
        _log.info(
            "epoch %d: %d steps, training loss %.4f, relative validation loss %.4f, %.1f s",
            epoch, self.steps, record.train_loss, record.valid_loss, time.perf_counter() - started,
        )  # fmt: skip
        return record

    def _batches(self) -> Iterator[Tensor]:
        # nearly equal parts: no last batch of a row or two for batch norm to choke on
        for rows in torch.randperm(len(self.train)).tensor_split(self.batches):
            if self.steps >= self.limit:
                return
            yield rows

    def _step(self, batch: Samples) -> float:
        shared, x = self.network.shared(batch.categorical, batch.numeric)
        outcomes = self.network.outcomes(shared, x)
        losses = self.network.losses(outcomes, self.smoothing(batch.labels), batch.weight)
        loss = self.balancer(losses, shared) + self.network.regularisation()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.scheduler.step()
        self.steps, self.rows = self.steps + 1, self.rows + len(batch)
        return self._finite(loss.item())

    def _finite(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise ShopguideError(
                "training.learning_rate",
                f"at {self.training.learning_rate:g} the loss became {loss} in step {self.steps}",
                "Lower it by a factor of 3, or look for extreme labels",
            )
        return loss

    def _rate(self, step: int) -> float:
        if self.training.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * min(step / self.limit, 1.0)))

    def _relative(self, losses: Tensor) -> float:
        """Return the weighted mean over tasks: L/L₀, or for an amount 1 + L − L₀ (nats)."""
        shares = [
            1 + float(now - before)
            if self.network.head(name).label == "amount"
            else float(now / before)
            for name, now, before in zip(self.network.parents, losses, self.reference, strict=True)
        ]
        return float(torch.tensor(shares) @ self.weights / self.weights.sum())


class _Smoothing:
    """Move binary labels towards their rate: y ← (1 − ε)·y + ε·rate, which keeps the mean."""

    def __init__(self, train: Samples, network: Network, epsilon: float) -> None:
        binary = [network.head(name).label == "binary" for name in network.parents]
        self.epsilon = epsilon * torch.tensor(binary, dtype=torch.float32)
        self.rates = train.weight @ train.labels / train.weight.sum()

    def __call__(self, labels: Tensor) -> Tensor:
        return torch.lerp(labels, self.rates.expand_as(labels), self.epsilon.expand_as(labels))


@torch.no_grad()
def valid_losses(network: Network, samples: Samples) -> Tensor:
    """Return each task's weighted mean loss [T], float64."""
    network.eval()
    total = torch.zeros(len(network.parents), dtype=torch.float64)
    for start in range(0, len(samples), _VALID_BATCH):
        rows = torch.arange(start, min(start + _VALID_BATCH, len(samples)))
        batch = samples.take(rows)
        losses = network.losses(
            network(batch.categorical, batch.numeric), batch.labels, batch.weight
        )
        total += losses.double() * float(batch.weight.sum())
    return total / float(samples.weight.sum())
