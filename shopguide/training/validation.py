"""Losses on the validation period, and the one number that says which epoch is best."""

from typing import Literal

import torch
from torch import Tensor

from shopguide.models import Network
from shopguide.training.balancing.losses import Reference
from shopguide.training.distributed import Group
from shopguide.training.samples import SampleFile

_BLOCKS = 64


@torch.no_grad()
def valid_losses(network: Network, valid: SampleFile, group: Group) -> Tensor:
    """Return each task's weighted mean loss [T], float64, over all processes' rows."""
    network.eval()
    sums = torch.zeros(len(network.parents) + 1, dtype=torch.float64)
    blocks = valid.blocks()
    for start in range(0, len(blocks), _BLOCKS):
        batch = valid.layout.split(valid.read(blocks[start : start + _BLOCKS]))
        shared, x = network.shared(batch.categorical, batch.numeric)
        outcomes = network.outcomes(shared, x, network.bias(batch.categorical))
        losses = network.losses(outcomes, batch.labels, batch.weight)
        weight = batch.weight.double().sum()
        sums[:-1] += torch.stack(losses).double() * weight
        sums[-1] += weight
    sums = group.total(sums)
    return sums[:-1] / sums[-1]


def of_kind(network: Network, label: Literal["binary", "amount"]) -> Tensor:
    """Say which tasks have labels of a kind [T]; the losses of amounts are densities'."""
    return torch.tensor([network.head(name).label == label for name in network.parents])


def relative_loss(losses: Tensor, reference: Reference, weights: Tensor) -> float:
    """Return the weighted mean over tasks: L/L₀, or for a density 1 + L − L₀ (nats)."""
    now, before = losses.double(), reference.losses.double()
    shares = torch.where(reference.density, 1 + now - before, now / before)
    return float(shares @ weights.double() / weights.double().sum())
