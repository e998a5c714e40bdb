"""The optimiser: AdamW as torch has it, row-wise Adagrad as its paper has it, gradients clipped."""

import copy

import pytest
import torch
from torch import nn

from shopguide.spec.model import Training
from shopguide.training.optimizers import LARGE, Optimizer
from shopguide.training.precision import use_bfloat16


class Lookup(nn.Module):
    """A large table, a small one and a layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.large, self.small = nn.Embedding(LARGE, 4), nn.Embedding(5, 4)
        self.layer = nn.Linear(8, 1)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([self.large(codes), self.small(codes % 5)], dim=1)
        out: torch.Tensor = self.layer(joined).square().mean()
        return out


CODES = [torch.tensor([3, 7, 3, 999]), torch.tensor([7, 7, 12, 0]), torch.tensor([3, 1, 2, 12])]


def take(model: Lookup, optimizer: Optimizer, factor: float = 1.0) -> None:
    for codes in CODES:
        optimizer.zero_grad()
        model(codes).backward()
        optimizer.step(factor)


def test_gradients_by_row_give_the_dense_step() -> None:
    ours, dense = Lookup(), Lookup()
    training = Training(learning_rate=0.05, weight_decay=0.01)
    take(ours, Optimizer(ours, training))
    assert ours.large.sparse
    assert not ours.small.sparse
    adam = torch.optim.AdamW(dense.parameters(), lr=0.05, weight_decay=0.01)
    for codes in CODES:
        adam.zero_grad()
        dense(codes).backward()
        adam.step()
    for one, other in zip(ours.parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_rowwise_adagrad_moves_the_rows_that_occur_by_its_formula() -> None:
    model, before = Lookup(), Lookup()
    training = Training(optimizer="rowwise_adagrad", table_learning_rate=0.2)
    optimizer = Optimizer(model, training)
    codes = CODES[0]
    model(codes).backward()
    before(codes).backward()
    optimizer.step(0.5)
    gradient = before.large.weight.grad
    assert gradient is not None
    sums = gradient.square().mean(1, keepdim=True)
    moved = sums[:, 0] > 0
    assert moved.nonzero().squeeze(1).tolist() == [3, 7, 999]
    expected = before.large.weight - 0.5 * 0.2 * gradient / (sums.sqrt() + 1e-8)
    torch.testing.assert_close(
        model.large.weight, torch.where(moved[:, None], expected, before.large.weight)
    )
    torch.testing.assert_close(optimizer.sums[0][3], sums[3, 0])


@pytest.mark.parametrize("optimizer", ["adam", "rowwise_adagrad"])
def test_clipping_bounds_the_norm_of_the_whole_gradient(optimizer: str) -> None:
    clipped, scaled = Lookup(), Lookup()
    training = Training(optimizer=optimizer, clip_norm=0.01)
    loss = scaled(CODES[0])
    loss.backward()
    norm = torch.nn.utils.get_total_norm(
        [p.grad for p in scaled.parameters() if p.grad is not None]
    )
    assert norm > 0.01
    other = Optimizer(scaled, Training(optimizer=optimizer))
    clipped_optimizer = Optimizer(clipped, training)
    clipped(CODES[0]).backward()
    clipped_optimizer.step(1.0)
    scaled.zero_grad()
    (scaled(CODES[0]) * 0.01 / norm).backward()
    other.step(1.0)
    for one, two in zip(clipped.parameters(), scaled.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_a_penalty_on_a_whole_table_is_stepped_too() -> None:
    model = Lookup()
    optimizer = Optimizer(model, Training(learning_rate=0.1))
    start = copy.deepcopy(model.large.weight.data)
    (model(CODES[0]) + model.large.weight.square().sum()).backward()
    optimizer.step(1.0)
    assert (model.large.weight.abs() < start.abs()).float().mean() > 0.9


def test_the_precision_is_the_specs_and_auto_decides() -> None:
    assert use_bfloat16(Training(precision="bfloat16"))
    assert not use_bfloat16(Training(precision="float32"))
    assert use_bfloat16(Training(precision="auto")) in (True, False)
