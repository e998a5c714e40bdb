"""Encoders of lists: what all of them promise, and what each computes."""

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from shopguide.models import ARCHITECTURES, CodedInput, Inputs, Network
from shopguide.models.bias import REACH
from shopguide.models.encoder import Encoder
from shopguide.models.heads import LabelStatistics
from shopguide.models.lists import LIST_ENCODERS, ListEncoder
from shopguide.models.lists.mean import Mean
from shopguide.spec.model import Model
from shopguide.spec.tasks import BinaryTask

BATCH, LENGTH, WIDTH = 16, 5, 8


@pytest.fixture(params=sorted(LIST_ENCODERS))
def encoder(request: pytest.FixtureRequest) -> ListEncoder:
    torch.manual_seed(0)
    return LIST_ENCODERS[request.param].build(WIDTH, LENGTH).eval()


def a_batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return values, which of them are there (none in row 0, all in row 1), and targets."""
    sizes = torch.tensor([0, LENGTH, *torch.randint(1, LENGTH + 1, (BATCH - 2,)).tolist()])
    present = (torch.arange(LENGTH) < sizes[:, None]).float()
    return torch.randn(BATCH, LENGTH, WIDTH), present, torch.randn(BATCH, WIDTH)


def test_an_empty_list_is_zeros_and_any_other_is_not(encoder: ListEncoder) -> None:
    found = encoder(*a_batch())
    assert found.shape == (BATCH, WIDTH)
    assert (found[0] == 0).all()
    assert (found[1:].abs().sum(dim=1) > 0).all()


def test_what_stands_beyond_the_end_of_a_list_does_not_matter(encoder: ListEncoder) -> None:
    values, present, target = a_batch()
    noise = torch.where(present.unsqueeze(-1) > 0, values, 100 * torch.randn_like(values))
    torch.testing.assert_close(encoder(noise, present, target), encoder(values, present, target))


def test_a_gradient_reaches_every_parameter_and_every_value(encoder: ListEncoder) -> None:
    values, present, target = a_batch()
    values.requires_grad_()
    h = encoder(values, present, target)
    (h * torch.randn_like(h)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())
    reached = values.grad.abs().sum(dim=-1) > 0
    torch.testing.assert_close(reached, present > 0)


def test_the_mean_is_one() -> None:
    values, present, _ = a_batch()
    found = Mean()(values, present, None)
    torch.testing.assert_close(found[1], values[1].mean(dim=0))
    size = int(present[2].sum())
    torch.testing.assert_close(found[2], values[2, :size].mean(dim=0))


def test_din_counts_values_by_the_target_and_does_not_average() -> None:
    torch.manual_seed(0)
    din = LIST_ENCODERS["din"].build(WIDTH, LENGTH)
    values, present, target = a_batch()
    assert not torch.allclose(din(values, present, target), din(values, present, -target))
    same = values[:, :1].expand(-1, LENGTH, -1)
    one, all_of_them = torch.zeros(BATCH, LENGTH), torch.ones(BATCH, LENGTH)
    one[:, 0] = 1
    torch.testing.assert_close(
        din(same, all_of_them, target), LENGTH * din(same, one, target), rtol=1e-4, atol=1e-5
    )


def test_the_transformer_knows_the_order_and_the_mean_does_not() -> None:
    torch.manual_seed(0)
    values, _, _ = a_batch()
    present = torch.ones(BATCH, LENGTH)
    turned = torch.cat([values[:, :1], values[:, 1:].flip(1)], dim=1)  # the newest stays
    transformer = LIST_ENCODERS["transformer"].build(WIDTH, LENGTH)
    assert not torch.allclose(
        transformer(values, present, None), transformer(turned, present, None), atol=1e-4
    )
    torch.testing.assert_close(Mean()(values, present, None), Mean()(turned, present, None))


INPUTS = Inputs(
    coded=(
        CodedInput("item_id", 12),
        CodedInput("tags", 7, length=3, encoder="mean", dim=4),
        CodedInput("bought", 12, length=4, encoder="din", of="item_id"),
        CodedInput("seen", 12, length=4, encoder="transformer", of="item_id"),
        CodedInput("position", 6, training_only=True),
    ),
    numbers=("price",),
)
TASKS = {"click": BinaryTask(kind="binary", event="click"),
         "buy": BinaryTask(kind="binary", event="buy", after="click")}  # fmt: skip


def codes_of(rows: int) -> torch.Tensor:
    widths = {12: 1, 7: 3, -12: 8, 6: 1}
    return torch.cat([torch.randint(abs(top), (rows, w)) for top, w in widths.items()], dim=1)


def test_lists_of_an_input_share_its_embedding() -> None:
    encoder = Encoder(INPUTS, embedding_dim=8, dropout=0.0, unknown_rate=0.0)
    assert [tuple(table.weight.shape) for table in encoder.tables] == [(12, 8), (7, 4)]
    assert encoder.output_dim == 8 + 4 + 8 + 8 + 1
    assert encoder.columns["seen"] == slice(20, 28)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_architecture_reads_lists_and_serves_without_the_position(
    architecture: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = Model(architecture=architecture, hidden=[8, 8], tower=[], experts=2, embedding_dim=8)
    statistics = {"click": LabelStatistics(0.3), "buy": LabelStatistics(0.1, 0.3)}
    network = Network(INPUTS, TASKS, statistics, model)
    codes, numbers = codes_of(BATCH), torch.randn(BATCH, 1)
    codes[0, 1:] = 0  # nothing is known of it: empty lists
    shared, x = network.shared(codes, numbers)
    offsets = network.bias(codes)
    assert list(offsets) == ["click"]
    outcomes = network.outcomes(shared, x, offsets)
    network.losses(outcomes, torch.zeros(BATCH, 2), torch.ones(BATCH))[0].backward()
    assert network.bias.positions.weight.grad.abs().sum() > 0
    module = _Expected(network).eval()
    served = codes[:, : network.code_width]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module, (served, numbers), tmp_path / "n.onnx", dynamo=False,
            input_names=["c", "n"], dynamic_axes={"c": {0: "b"}, "n": {0: "b"}},
        )  # fmt: skip
        expected = network(codes, numbers)["buy"].expected()
    session = onnxruntime.InferenceSession((tmp_path / "n.onnx").read_bytes())
    for rows in (1, BATCH):
        (found,) = session.run(None, {"c": served[:rows].numpy(), "n": numbers[:rows].numpy()})
        np.testing.assert_allclose(found, expected[:rows], atol=1e-5)


class _Expected(torch.nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        return self.network(codes, numbers)["buy"].expected()


def test_the_position_moves_training_around_an_average_position() -> None:
    network = Network(INPUTS, TASKS, {"click": LabelStatistics(0.3), "buy": LabelStatistics(0.1)},
                      Model(hidden=[8]))  # fmt: skip
    network.bias.positions.weight.data = torch.tensor([[0.0], [0.0], [1.0], [2.0], [3.0], [4.0]])
    codes = codes_of(4)
    codes[:, -1] = torch.tensor([2, 3, 4, 5])
    torch.testing.assert_close(
        network.bias(codes)["click"], REACH * torch.tensor([-1.5, -0.5, 0.5, 1.5])
    )
