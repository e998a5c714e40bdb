"""How the tasks of a model relate: whom does a step for one task help?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from shopguide.bundle.document import Document
from shopguide.models import Network
from shopguide.training.balancing import gramian
from shopguide.training.samples import Samples

EVERY = 20
"""Steps between two looks."""

STEP = 0.01
"""Length of a look-ahead step, in norms of the shared parameters; the same for every task."""

MOST_TASKS = 8
"""Tasks up to which all groupings are compared: 4,140 of them."""


class Relations(Document):
    """What the looks found, in the mean.

    Args:
        tasks: names, T of them.
        affinity: affinity[s][t]: the share of task t's loss that a step for task s takes off, in
            percent (of an amount, the nats a positive row, times 100); below 0 it adds to it.
        cosine: cosine[s][t] of the two tasks' gradients of the shared representation; empty where
            the architecture shares none.
        looks: how often it was looked.
        groups: tasks that had better be trained together.
    """

    tasks: list[str]
    affinity: list[list[float]]
    cosine: list[list[float]]
    looks: int
    groups: list[list[str]]


@dataclass(slots=True)
class Looker:
    """A probe of the training loop that looks ahead every few steps.

        Z_st = 1 − L_t(θ_shared − η_s · ∇L_s, θ_t) / L_t(θ_shared, θ_t)

    η_s makes the steps of all tasks equally long. Dropout is off and batch norm uses its running
    moments while it looks, and the network is left as it was, bit for bit.

    Source: Fifty et al., "Efficiently Identifying Task Groupings for Multi-Task Learning",
    NeurIPS 2021, §3.1. Here the step has a fixed length instead of the learning rate's, and an
    amount's loss, a density that may be negative, is compared by difference.
    """

    every: int = EVERY
    affinities: list[Tensor] = field(default_factory=list)
    cosines: list[Tensor] = field(default_factory=list)

    def __call__(self, network: Network, batch: Samples, step: int) -> None:
        """Look, if it is time."""
        if step % self.every:
            return
        network.eval()
        losses, shared = _losses(network, batch)
        if network.architecture.shares_representation:
            products = gramian(losses, shared)
            norms = products.diagonal().clamp(min=1e-30).sqrt()
            self.cosines.append(products / torch.outer(norms, norms))
        self.affinities.append(_affinity(network, batch, losses))
        network.train()

    def relations(self, tasks: Sequence[str]) -> Relations:
        """Return the mean of all looks."""
        affinity = torch.stack(self.affinities).mean(0)
        cosine = torch.stack(self.cosines).mean(0).tolist() if self.cosines else []
        groups = best_groups(affinity.tolist())
        return Relations(
            tasks=list(tasks),
            affinity=(100 * affinity).tolist(),
            cosine=cosine,
            looks=len(self.affinities),
            groups=[[tasks[t] for t in group] for group in groups],
        )


def best_groups(affinity: list[list[float]]) -> list[list[int]]:
    """Return the partition of the tasks with the largest Σ_t mean_{s with t} Z_st.

    A task alone counts 0: it joins others only where they help it more than they hurt. Equal
    partitions: the one with fewer groups. More than 8 tasks are left together.

    Args:
        affinity: Z [T, T].
    """
    tasks = list(range(len(affinity)))
    if len(tasks) > MOST_TASKS:
        return [tasks]

    def worth(groups: list[list[int]]) -> tuple[float, int]:
        gains = (
            sum(affinity[s][t] for s in group if s != t) / (len(group) - 1)
            for group in groups
            if len(group) > 1
            for t in group
        )
        return sum(gains), -len(groups)

    return max(_partitions(tasks), key=worth)


def _partitions(tasks: list[int]) -> Iterator[list[list[int]]]:
    if not tasks:
        yield []
        return
    first, rest = tasks[0], tasks[1:]
    for groups in _partitions(rest):
        yield [[first], *groups]
        for position, group in enumerate(groups):
            yield [*groups[:position], [first, *group], *groups[position + 1 :]]


def _losses(network: Network, batch: Samples) -> tuple[list[Tensor], Tensor]:
    shared, x = network.shared(batch.categorical, batch.numeric)
    outcomes = network.outcomes(shared, x, network.bias(batch.categorical))
    return network.losses(outcomes, batch.labels, batch.weight), shared


def _affinity(network: Network, batch: Samples, losses: list[Tensor]) -> Tensor:
    """Return Z [T, T]."""
    before = torch.stack(losses).detach()
    shared = [*network.encoder.parameters(), *network.architecture.parameters()]
    length = STEP * float(torch.nn.utils.get_total_norm([p.detach() for p in shared]))
    amount = torch.tensor([network.head(name).label == "amount" for name in network.parents])
    everyones = [_steps(loss, shared) for loss in losses]  # before any step changes the weights
    found = []
    for steps in everyones:
        values = [g.values() if g.is_sparse else g for _, g in steps]
        norm = float(torch.nn.utils.get_total_norm(values))
        after = _after(network, batch, steps, length / norm) if norm > 0 else before
        gain = before - after
        found.append(torch.where(amount, gain, gain / before))
    return torch.stack(found)


def _steps(loss: Tensor, shared: list[nn.Parameter]) -> list[tuple[nn.Parameter, Tensor]]:
    """Return the shared parameters that a loss depends on, with their gradients."""
    gradients = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
    return [
        (p, g.coalesce() if g.is_sparse else g)
        for p, g in zip(shared, gradients, strict=True)
        if g is not None
    ]


@torch.no_grad()
def _after(
    network: Network, batch: Samples, steps: list[tuple[nn.Parameter, Tensor]], rate: float
) -> Tensor:
    """Return the losses after a step, and undo it."""
    saved: list[Tensor] = []
    for parameter, gradient in steps:
        if gradient.is_sparse:
            rows = gradient.indices()[0]
            saved.append(parameter.index_select(0, rows))
            parameter.index_add_(0, rows, gradient.values(), alpha=-rate)
        else:
            saved.append(parameter.clone())
            parameter.sub_(gradient, alpha=rate)
    losses, _ = _losses(network, batch)
    for (parameter, gradient), before in zip(steps, saved, strict=True):
        if gradient.is_sparse:
            parameter.index_copy_(0, gradient.indices()[0], before)
        else:
            parameter.copy_(before)
    return torch.stack(losses)
