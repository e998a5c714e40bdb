"""Every architecture keeps what the others promise; one added to the registry is tested too."""

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from shopguide.bundle.preprocessing import MISSING, UNKNOWN
from shopguide.errors import ShopguideError
from shopguide.models import ARCHITECTURES, Architecture, Inputs, Layout, Network
from shopguide.models.heads import LabelStatistics
from shopguide.spec.model import Model
from shopguide.spec.tasks import AmountTask, BinaryTask

BATCH, IN_DIM = 64, 12
PARENTS = {"click": None, "purchase": "click", "value": "purchase"}
TASKS = {
    "click": BinaryTask(kind="binary", event="click"),
    "purchase": BinaryTask(kind="binary", event="purchase", after="click"),
    "value": AmountTask(kind="amount", event="purchase", after="purchase"),
}
STATISTICS = {
    task: LabelStatistics(0.3, 0.5 if parent == "click" else 1.0)
    for task, parent in PARENTS.items()
}
LAYOUT = Layout(
    in_dim=IN_DIM,
    columns={"user_id": slice(0, 4), "place_id": slice(4, 10), "price": slice(10, 11)},
    parents=PARENTS,
    categoricals=("user_id", "place_id"),
)
MODEL = Model(hidden=[32, 16], tower=[16], experts=3, dropout=0.0, embedding_dim=4, tie_weight=1e-3)


@pytest.fixture(params=sorted(ARCHITECTURES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def built(name: str, *, batch_norm: bool = True, seed: int = 0) -> Architecture:
    torch.manual_seed(seed)
    model = MODEL.model_copy(update={"batch_norm": batch_norm})
    return ARCHITECTURES[name].build(LAYOUT, model)


@pytest.fixture(params=[True, False], ids=["batch_norm", "plain"])
def architecture(name: str, request: pytest.FixtureRequest) -> Architecture:
    return built(name, batch_norm=request.param)


def an_input(architecture: Architecture, rows: int = BATCH) -> torch.Tensor:
    sets = architecture.embedding_sets(len(PARENTS))
    return torch.randn(rows, IN_DIM) if sets == 1 else torch.randn(rows, sets, IN_DIM)


def moved(architecture: Architecture) -> Architecture:
    """Move what starts at zero, as gates do, so that no gradient vanishes by symmetry."""
    for parameter in architecture.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return architecture


def test_one_representation_per_task(architecture: Architecture) -> None:
    found = architecture(an_input(architecture))
    assert found.shape == (BATCH, len(PARENTS), architecture.output_dim)


def test_a_gradient_reaches_every_parameter(architecture: Architecture) -> None:
    h = moved(architecture)(an_input(architecture))
    (h * torch.randn_like(h)).sum().backward()
    for path, parameter in architecture.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.abs().sum() > 0, path


def test_every_task_reads_the_shared_representation(architecture: Architecture) -> None:
    x = an_input(architecture)
    shared = moved(architecture).shared(x)
    shared.retain_grad() if shared.requires_grad else shared.requires_grad_()
    for task in range(len(PARENTS)):
        h = architecture.per_task(shared, x)[:, task]
        (gradient,) = torch.autograd.grad((h * torch.randn_like(h)).sum(), shared)
        assert gradient.abs().sum() > 0


def test_permuting_the_batch_permutes_the_output(architecture: Architecture) -> None:
    x, order = an_input(architecture), torch.randperm(BATCH)
    architecture.eval()
    torch.testing.assert_close(architecture(x[order]), architecture(x)[order])


def test_a_row_does_not_depend_on_the_others(architecture: Architecture) -> None:
    x = an_input(architecture)
    moved(architecture).eval()
    torch.testing.assert_close(architecture(x[:1]), architecture(x)[:1])


def test_the_same_seed_builds_the_same_network_and_another_seed_another(name: str) -> None:
    one, same, other = (list(built(name, seed=seed).state_dict().values()) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_its_penalty_is_not_negative_and_can_be_differentiated(architecture: Architecture) -> None:
    penalty = moved(architecture).regularisation()
    assert penalty.shape == ()
    assert penalty.item() >= 0
    if penalty.requires_grad:
        penalty.backward()
        grads = [p.grad for p in architecture.parameters() if p.grad is not None]
        assert grads
        assert all(torch.isfinite(grad).all() for grad in grads)


@pytest.mark.parametrize("tasks", [1, 2])
def test_it_takes_any_number_of_tasks(name: str, tasks: int) -> None:
    parents = dict(list(PARENTS.items())[:tasks])
    layout = Layout(IN_DIM, LAYOUT.columns, parents, LAYOUT.categoricals)
    if name == "esmm" and tasks == 1:
        with pytest.raises(
            ShopguideError, match=r"model\.architecture: esmm needs a funnel.*click"
        ):
            ARCHITECTURES[name].build(layout, MODEL)
        return
    found = ARCHITECTURES[name].build(layout, MODEL)
    sets = found.embedding_sets(tasks)
    x = torch.randn(4, IN_DIM) if sets == 1 else torch.randn(4, sets, IN_DIM)
    assert found(x).shape == (4, tasks, found.output_dim)


def network_of(name: str, codes: list[int], numbers: int) -> Network:
    torch.manual_seed(0)
    model = MODEL.model_copy(update={"architecture": name})
    return Network(Inputs.plain(codes, numbers), TASKS, STATISTICS, model)


class Expectations(torch.nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: torch.Tensor, numbers: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(o.expected() for o in self.network(codes, numbers).values())


def test_the_onnx_graph_predicts_what_the_network_does(name: str, tmp_path: Path) -> None:
    network = network_of(name, [9, 6], 3)
    moved(network.architecture)
    network(torch.randint(6, (BATCH, 2)), torch.randn(BATCH, 3))  # moves batch norm's averages
    module = Expectations(network).eval()
    codes, numbers = torch.randint(6, (BATCH, 2)), torch.randn(BATCH, 3)
    codes[0], codes[1], numbers[:2] = MISSING, UNKNOWN, 0.0
    path = tmp_path / "network.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            (codes, numbers),
            path,
            dynamo=False,
            input_names=["c", "n"],
            dynamic_axes={"c": {0: "b"}, "n": {0: "b"}},
        )
    session = onnxruntime.InferenceSession(path.read_bytes())
    for rows in (1, BATCH):
        found = session.run(None, {"c": codes[:rows].numpy(), "n": numbers[:rows].numpy()})
        expected = module(codes[:rows], numbers[:rows])
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other.detach(), rtol=1e-5, atol=1e-5)


def test_a_network_of_it_learns_64_rows_by_heart(name: str) -> None:
    network = network_of(name, [66], 0)
    codes = torch.arange(64)[:, None]  # each row has a code of its own, so all can be learnt
    click = (torch.rand(64) < 0.5).float()
    purchase = click * (torch.rand(64) < 0.6)
    labels = torch.stack([click, purchase, purchase * (1 + 9 * torch.rand(64))], dim=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        outcomes = network(codes, torch.empty(64, 0))
        losses = network.losses(outcomes, labels, torch.ones(64))
        (sum(losses) + network.regularisation()).backward()
        optimizer.step()
    expected = {task: outcome.expected() for task, outcome in outcomes.items()}
    assert ((expected["click"] > 0.5) == (click > 0)).all()
    assert ((expected["purchase"] > 0.5) == (purchase > 0)).all()
    bought = purchase > 0
    torch.testing.assert_close(expected["value"][bought], labels[bought, 2], rtol=0.2, atol=0.3)
