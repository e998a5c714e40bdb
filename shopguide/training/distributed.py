"""Several processes that train one model: what they add up, send and write."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from shopguide.errors import ShopguideError
from shopguide.training.order import SHARDS


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a run; alone, every method returns what it was given.

    Args:
        rank: number of this process.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of all processes' values."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def leaders(self, values: Tensor) -> Tensor:
        """Return the leading process's values."""
        if self.size > 1:
            values = values.clone()
            dist.broadcast(values, 0)
        return values

    def leaders_text(self, text: str | None) -> str:
        """Return the leading process's text; the others give None."""
        if self.size == 1:
            assert text is not None
            return text
        encoded = bytearray((text or "").encode())
        length = int(self.leaders(torch.tensor(len(encoded))))
        content = torch.frombuffer(encoded, dtype=torch.uint8) if encoded else None
        if content is None or len(content) != length:
            content = torch.zeros(length, dtype=torch.uint8)
        return bytes(self.leaders(content).numpy()).decode()

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Make every gradient the sum of all processes' gradients."""
        if self.size == 1:
            return
        dense = []
        for parameter in parameters:
            gradient = parameter.grad
            if gradient is not None and gradient.is_sparse:
                parameter.grad = self._gathered(gradient)
            else:
                if gradient is None:
                    parameter.grad = torch.zeros_like(parameter)
                dense.append(parameter.grad)
        flat = torch.cat([gradient.flatten() for gradient in dense if gradient is not None])
        dist.all_reduce(flat)
        start = 0
        for gradient in dense:
            assert gradient is not None
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def _gathered(self, gradient: Tensor) -> Tensor:
        """Return all processes' rows of a sparse gradient, one after the other."""
        indices, values = gradient._indices(), gradient._values()
        sizes = [torch.zeros((), dtype=torch.int64) for _ in range(self.size)]
        dist.all_gather(sizes, torch.tensor(len(values)))
        most = int(max(sizes))
        every_index = [torch.zeros(most, dtype=torch.int64) for _ in sizes]
        every_value = [values.new_zeros(most, values.shape[1]) for _ in sizes]
        spare = most - len(values)
        dist.all_gather(every_index, nn.functional.pad(indices[0], (0, spare)))
        dist.all_gather(every_value, nn.functional.pad(values, (0, 0, 0, spare)))
        return torch.sparse_coo_tensor(
            torch.cat(every_index).unsqueeze(0),
            torch.cat(every_value),
            gradient.shape,
            check_invariants=False,
        )


def environment_rank() -> int:
    """Return the number of this process among those that torchrun started; 0 without it."""
    return int(os.environ.get("RANK", "0"))


@contextmanager
def process_group() -> Iterator[Group]:
    """Join the processes that torchrun started, or be alone.

    Raises:
        ShopguideError: the rows cannot be dealt to so many processes.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group()
        return
    if SHARDS % size:
        fitting = ", ".join(str(n) for n in range(1, SHARDS + 1) if SHARDS % n == 0)
        raise ShopguideError(
            "torchrun", f"started {size} processes, can use {fitting}", "Change --nproc_per_node"
        )
    owned = not dist.is_initialized()
    if owned:
        dist.init_process_group("gloo")
    try:
        yield Group(dist.get_rank(), dist.get_world_size())
    finally:
        if owned:
            dist.destroy_process_group()


class JointBatchNorm(nn.BatchNorm1d):
    """Batch normalisation by the moments of all processes' rows; without them, the usual one.

    torch has one for GPUs alone.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [B, F]."""
        if not self.training:
            return super().forward(x)
        count = torch.full((1,), float(len(x)))
        sums = torch.cat([x.sum(0), x.square().sum(0), count])
        features = x.shape[1]
        summed: Tensor = _JointSum.apply(sums)  # type: ignore[no-untyped-call]
        n = summed[-1].detach()
        mean = summed[:features] / n
        variance = (summed[features:-1] / n - mean.square()).clamp(min=0.0)
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / (n - 1).clamp(min=1.0), self.momentum)
        normal = (x - mean) * torch.rsqrt(variance + self.eps)
        return normal * self.weight + self.bias


class _JointSum(torch.autograd.Function):
    """The sum over processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(context: object, values: Tensor) -> Tensor:
        del context
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        del context
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def join_batch_norms(network: nn.Module, group: Group) -> None:
    """Let a network's batch normalisations see all processes' rows."""
    if group.size == 1:
        return
    for module in network.modules():
        if type(module) is nn.BatchNorm1d:
            module.__class__ = JointBatchNorm
