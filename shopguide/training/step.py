"""One step: forward, the weights of the tasks, backward, and a look at what became of it."""

import math
import re

import torch
from torch import Tensor

from shopguide.errors import ShopguideError
from shopguide.models import Network
from shopguide.spec.model import Training
from shopguide.training import watch
from shopguide.training.balancing import Balancer, gramian
from shopguide.training.distributed import Group
from shopguide.training.optimizers import Optimizer
from shopguide.training.order import SHARDS
from shopguide.training.samples import Samples

_SPREAD = 0x9E3779B97F4A7C15  # keeps neighbouring seeds' steps apart
_TABLE = re.compile(r"encoder\.tables\.(\d+)\.")


class DivergedError(ShopguideError):
    """The loss became infinite or NaN: these settings do not train."""


class Stepper:
    """All that a step needs.

    Args:
        network: in training mode.
        training: the spec's training section.
        balancer: weighs the tasks.
        rates: means of the labels [T].
        smoothed: 1 for the tasks whose labels smoothing moves towards them, else 0 [T].
        bfloat16: whether the shared layers' products are computed in it.
        seed: of dropout; a step's numbers depend on it, on the step and on the process alone.
        group: the processes.
        categoricals: names of the inputs with an embedding, for messages.
    """

    def __init__(
        self,
        network: Network,
        training: Training,
        balancer: Balancer,
        *,
        rates: Tensor,
        smoothed: Tensor,
        bfloat16: bool,
        seed: int,
        group: Group,
        categoricals: list[str],
    ) -> None:
        self.network, self.training, self.balancer = network, training, balancer
        self.rates, self.smoothing = rates, smoothed * training.label_smoothing
        self.bfloat16, self.seed, self.group = bfloat16, seed, group
        self.categoricals = categoricals
        self.optimizer = Optimizer(network, training, balancer.parameters())
        self.watch = watch.Watch(list(network.parents))
        self.kept = balancer.preference  # weights of the last step that balanced gradients

    def __call__(self, batch: Samples, step: int, factor: float) -> float:
        """Take a step, and return the loss that was minimised.

        Args:
            batch: this process's rows.
            step: number of the step, from 0.
            factor: of the learning rates.

        Raises:
            DivergedError: the loss became infinite or NaN.
        """
        torch.manual_seed((self.seed * _SPREAD + step * SHARDS + self.group.rank) % 2**63)
        labels = self._smoothed(batch.labels)
        losses, shared = self._losses(batch, labels)
        self.optimizer.zero_grad()
        total = torch.stack(losses)
        everyones = self.group.total(total.detach())
        if not math.isfinite(float(everyones.sum())):
            raise self._not_finite(everyones, step)
        weights = self._weights(everyones, losses, shared, step)
        penalty = self.network.regularisation()
        (total @ weights + penalty / self.group.size).backward()  # type: ignore[no-untyped-call]
        self.group.add_gradients(self.network.parameters())
        self.optimizer.step(factor)
        if self.balancer.uses_outcome:
            with torch.no_grad():
                after, _ = self._losses(batch, labels)
                self.balancer.observe(self.group.total(torch.stack(after)))
        return float(everyones @ weights + penalty.detach())

    def _smoothed(self, labels: Tensor) -> Tensor:
        """Return binary labels moved towards their rate: (1 − ε)·y + ε·rate keeps the mean."""
        if not self.training.label_smoothing:
            return labels
        shape = labels.shape
        return torch.lerp(labels, self.rates.expand(shape), self.smoothing.expand(shape))

    def _losses(self, batch: Samples, labels: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return this process's part of the T losses, and the shared representation."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            shared, x = self.network.shared(batch.categorical, batch.numeric)
        shared = shared.float()
        offsets = self.network.bias(batch.categorical)
        outcomes = self.network.outcomes(shared, x.float(), offsets)
        losses = self.network.losses(outcomes, labels, batch.weight)
        if self.group.size > 1:
            weight = batch.weight.sum()
            share = weight / self.group.total(weight).clamp(min=1e-30)
            losses = [loss * share for loss in losses]
        return losses, shared

    def _weights(
        self, everyones: Tensor, losses: list[Tensor], shared: Tensor, step: int
    ) -> Tensor:
        balances = self.balancer.uses_gradients
        due = balances and step % self.training.balance_every == 0
        shares = self.network.architecture.shares_representation
        looks = due or (shares and self.watch.steps % watch.EVERY == 0)
        fresh = self.group.total(gramian(losses, shared)) if looks else None
        if due or not balances:
            self.kept = self.group.leaders(self.balancer.weights(everyones, fresh))
        self.watch.add(self.kept, fresh)
        return self.kept

    def _not_finite(self, losses: Tensor, step: int) -> DivergedError:
        tasks = [
            f"{name} {float(loss)}"
            for name, loss in zip(self.network.parents, losses, strict=True)
            if not math.isfinite(loss)
        ]
        weights = [
            self._called(name)
            for name, parameter in self.network.named_parameters()
            if not bool(parameter.isfinite().all())
        ]
        because = f"; not finite before it: {', '.join(weights[:3])}" if weights else ""
        return DivergedError(
            "training.learning_rate",
            f"at {self.training.learning_rate:g} the loss became not finite in step {step + 1}: "
            f"{', '.join(tasks)}{because}",
            "Lower it by a factor of 3, set training.clip_norm, or look for extreme labels",
        )

    def _called(self, parameter: str) -> str:
        table = _TABLE.match(parameter)
        return f"the embedding of {self.categoricals[int(table[1])]}" if table else parameter
