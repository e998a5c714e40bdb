"""The whole network."""

import pytest
import torch

from shopguide.bundle.preprocessing import MISSING, UNKNOWN
from shopguide.models import Inputs, Network
from shopguide.models.encoder import LARGE, Encoder, embedding_width
from shopguide.models.heads import LabelStatistics
from shopguide.spec.model import Model
from shopguide.spec.tasks import AmountTask, BinaryTask

TASKS = {
    "click": BinaryTask(kind="binary", event="click"),
    "purchase": BinaryTask(kind="binary", event="purchase", after="click"),
    "value": AmountTask(kind="amount", event="purchase", after="purchase"),
}
STATISTICS = {
    "click": LabelStatistics(0.3),
    "purchase": LabelStatistics(0.1, 0.3),
    "value": LabelStatistics(0.1, 0.1, 1.0, 0.5),
}
MODEL = Model(hidden=[16], tower=[], experts=2, embedding_dim=8)


def network(codes: list[int], numbers: int) -> Network:
    torch.manual_seed(0)
    return Network(Inputs.plain(codes, numbers), TASKS, STATISTICS, MODEL)


@pytest.mark.parametrize(("codes", "numbers"), [([5, 9], 3), ([], 3), ([5], 0)])
def test_any_mix_of_categoricals_and_numbers_is_an_input(codes: list[int], numbers: int) -> None:
    outcomes = network(codes, numbers)(torch.zeros(4, len(codes)).int(), torch.randn(4, numbers))
    assert list(outcomes) == list(TASKS)
    assert all(outcome.expected().shape == (4,) for outcome in outcomes.values())


def test_a_stage_is_never_likelier_than_its_parent() -> None:
    outcomes = network([5], 3)(torch.randint(5, (100, 1)), 10 * torch.randn(100, 3))
    assert (outcomes["purchase"].expected() <= outcomes["click"].expected()).all()
    torch.testing.assert_close(outcomes["value"].log_p, outcomes["purchase"].log_p)


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    net = network([5], 3).eval()
    codes, numbers = torch.randint(5, (3, 1)), torch.randn(3, 3)
    labels = torch.tensor([[1.0, 1.0, 4.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    twice = torch.tensor([0, 1, 2, 2])
    weighted = net.losses(net(codes, numbers), labels, torch.tensor([1.0, 1.0, 2.0]))
    repeated = net.losses(net(codes[twice], numbers[twice]), labels[twice], torch.ones(4))
    torch.testing.assert_close(weighted, repeated)


@pytest.mark.parametrize(
    ("codes", "largest", "width"), [(3, 64, 4), (100, 64, 24), (100, 16, 16), (10**6, 64, 64)]
)
def test_an_embedding_grows_with_its_vocabulary(codes: int, largest: int, width: int) -> None:
    assert embedding_width(codes, largest) == width


def test_some_ids_are_shown_as_unknown_in_training_alone() -> None:
    torch.manual_seed(0)
    sizes = {"embedding_dim": 4, "dropout": 0.0, "unknown_rate": 0.3}
    encoder = Encoder(Inputs.plain([LARGE + 1, LARGE], 0), **sizes)
    codes = torch.full((2000, 2), 7)
    codes[:500] = MISSING
    unknown = encoder.tables[0].weight[UNKNOWN]
    hidden = (encoder(codes, torch.empty(2000, 0))[:, :4] == unknown).all(dim=1)
    assert not hidden[:500].any()  # missing stays missing
    # 1,500 draws of .3: standard deviation .012; four of them
    assert hidden[500:].float().mean().item() == pytest.approx(0.3, abs=0.05)
    small = encoder(codes, torch.empty(2000, 0))[500:, 4:]
    assert (small == encoder.tables[1].weight[7]).all()
    encoder.eval()
    torch.testing.assert_close(
        encoder(codes, torch.empty(2000, 0))[500:, :4],
        encoder.tables[0].weight[7].expand(1500, -1),
    )


def test_drawing_a_share_of_the_negatives_is_undone_in_what_is_predicted() -> None:
    tasks = TASKS | {"click": TASKS["click"].model_copy(update={"negative_rate": 0.1})}
    torch.manual_seed(0)
    net = Network(Inputs.plain([5], 3), tasks, STATISTICS, MODEL.model_copy(update={"dropout": 0}))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()  # the same numbers in both modes
    rows = torch.randint(5, (20, 1)), torch.randn(20, 3)
    shared, x = net.shared(*rows)
    offsets = net.bias(rows[0])
    drawn = {name: o.expected() for name, o in net.outcomes(shared, x, offsets).items()}
    whole = {name: o.expected() for name, o in net.eval()(*rows).items()}
    odds, seen = (p["click"] / (1 - p["click"]) for p in (whole, drawn))
    torch.testing.assert_close(seen, odds / 0.1, rtol=1e-4, atol=1e-5)
    # given a click, nothing was drawn: the conditional is the same
    torch.testing.assert_close(
        drawn["purchase"] / drawn["click"], whole["purchase"] / whole["click"]
    )
