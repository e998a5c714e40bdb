"""The optimiser: AdamW for layers; for embeddings, gradients of the rows that occurred."""

import math

import torch
from torch import Tensor, nn

from shopguide.spec.model import Training

LARGE = 1000
"""Rows from which an embedding's gradient is kept by row."""

_EPSILON = 1e-8


class Optimizer:
    """One step of all parameters.

    Large embeddings get sparse gradients: the rows of a batch instead of a table of zeros. AdamW
    adds them into a gradient that is kept between steps and zeroes them after, which is the dense
    step without a new table each time. Row-wise Adagrad moves the rows that occurred alone:

        s_r ← s_r + mean_d g²_rd        w_r ← w_r − rate · g_r / (√s_r + ε)

    Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods", JMLR 12, 2011; one sum a row:
    Mudigere et al., "Software-Hardware Co-design for Fast and Scalable Training of Deep Learning
    Recommendation Models", ISCA 2022, §4.1. It decays no weights.

    Args:
        network: whose large embeddings are switched to sparse gradients.
        training: the spec's training section.
        extra: further parameters, of a balancer.
    """

    def __init__(
        self, network: nn.Module, training: Training, extra: list[nn.Parameter] | None = None
    ) -> None:
        self.training = training
        self.tables = _large_tables(network)
        rowwise = training.optimizer == "rowwise_adagrad"
        self.sums = [torch.zeros(len(t)) for t in self.tables] if rowwise else []
        self.kept = [] if rowwise else [torch.zeros_like(t) for t in self.tables]
        tables = {id(table) for table in self.tables}
        self.layers = [p for p in network.parameters() if id(p) not in tables] + (extra or [])
        self.parameters = [*self.layers, *self.tables]
        self.adam = torch.optim.AdamW(
            self.layers if rowwise else self.parameters,
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            fused=True,
        )

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self, factor: float) -> None:
        """Apply the gradients.

        Args:
            factor: of the learning rates, in [0, 1].
        """
        found = [_rows(table) for table in self.tables]
        if self.training.clip_norm is not None:
            self._clip(found, self.training.clip_norm)
        for group in self.adam.param_groups:
            group["lr"] = self.training.learning_rate * factor
        if self.sums:
            self.adam.step()
            rate = self.training.table_learning_rate * factor
            for table, total, rows in zip(self.tables, self.sums, found, strict=True):
                _adagrad(table, total, rows, rate)
            return
        for table, kept, (index, values) in zip(self.tables, self.kept, found, strict=True):
            table.grad = kept.index_copy_(0, index, values)
        self.adam.step()
        for kept, (index, _) in zip(self.kept, found, strict=True):
            kept.index_fill_(0, index, 0.0)

    def _clip(self, found: "list[_Rows]", limit: float) -> None:
        gradients = [p.grad for p in self.layers if p.grad is not None]
        gradients += [values for _, values in found]
        norm = float(torch.nn.utils.get_total_norm(gradients))
        if norm > limit and math.isfinite(norm):
            for gradient in gradients:
                gradient.mul_(limit / norm)

    def state(self) -> dict[str, object]:
        """Return what a checkpoint needs."""
        return {"adam": self.adam.state_dict(), "sums": self.sums}

    def load(self, state: dict[str, object]) -> None:
        """Go on from a checkpoint's state."""
        adam, sums = state["adam"], state["sums"]
        assert isinstance(adam, dict)
        assert isinstance(sums, list)
        self.adam.load_state_dict(adam)
        for total, saved in zip(self.sums, sums, strict=True):
            total.copy_(saved)


_Rows = tuple[Tensor, Tensor]
"""Distinct rows [R], and their gradients [R, D]."""


def _large_tables(network: nn.Module) -> list[nn.Parameter]:
    found: dict[int, nn.Parameter] = {}
    for module in network.modules():
        if isinstance(module, nn.Embedding) and module.num_embeddings >= LARGE:
            weight = module.weight
            assert isinstance(weight, nn.Parameter)
            module.sparse = True
            found[id(weight)] = weight
    return list(found.values())


def _rows(table: nn.Parameter) -> _Rows:
    """Return the rows of a table that have a gradient, each once."""
    gradient = table.grad
    if gradient is None:
        return torch.empty(0, dtype=torch.int64), table.new_empty(0, table.shape[1])
    if not gradient.is_sparse:  # a penalty on all its weights made it dense
        return torch.arange(len(table)), gradient
    index, place = torch.unique(gradient._indices()[0], return_inverse=True)
    values = gradient._values()
    summed = values.new_zeros(len(index), table.shape[1]).index_add_(0, place, values)
    return index, summed


@torch.no_grad()
def _adagrad(table: nn.Parameter, total: Tensor, rows: _Rows, rate: float) -> None:
    index, gradient = rows
    sums = total.index_select(0, index) + gradient.square().mean(1)
    total.index_copy_(0, index, sums)
    step = gradient * (-rate / (sums.sqrt() + _EPSILON)).unsqueeze(1)
    table.index_add_(0, index, step)
