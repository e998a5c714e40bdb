"""Every architecture keeps what the others promise; one added to the registry is tested too."""

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from shopguide.models import ARCHITECTURES, Architecture, Network
from shopguide.models.heads import LabelStatistics
from shopguide.spec.model import Model
from shopguide.spec.tasks import AmountTask, BinaryTask

BATCH, IN_DIM, TASKS = 64, 12, 3
MODEL = Model(hidden=[16, 8], tower=[8], experts=3, dropout=0.0, embedding_dim=4)


@pytest.fixture(params=sorted(ARCHITECTURES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[True, False], ids=["batch_norm", "plain"])
def architecture(name: str, request: pytest.FixtureRequest) -> Architecture:
    torch.manual_seed(0)
    model = MODEL.model_copy(update={"batch_norm": request.param})
    return ARCHITECTURES[name].build(IN_DIM, TASKS, model)


def test_one_representation_per_task(architecture: Architecture) -> None:
    assert architecture(torch.randn(BATCH, IN_DIM)).shape == (BATCH, TASKS, architecture.output_dim)


def test_a_gradient_reaches_every_parameter(architecture: Architecture) -> None:
    if hasattr(architecture, "gates"):  # equal gates and equal loss weights: move them apart
        torch.nn.init.normal_(architecture.gates)
    h = architecture(torch.randn(BATCH, IN_DIM))
    (h * torch.randn_like(h)).sum().backward()
    for path, parameter in architecture.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.abs().sum() > 0, path


def test_permuting_the_batch_permutes_the_output(architecture: Architecture) -> None:
    x, order = torch.randn(BATCH, IN_DIM), torch.randperm(BATCH)
    architecture.eval()
    torch.testing.assert_close(architecture(x[order]), architecture(x)[order])


def test_a_row_does_not_depend_on_the_others(architecture: Architecture) -> None:
    x = torch.randn(BATCH, IN_DIM)
    architecture.eval()
    torch.testing.assert_close(architecture(x[:1]), architecture(x)[:1])


def test_the_onnx_graph_predicts_what_the_module_does(
    architecture: Architecture, tmp_path: Path
) -> None:
    architecture.eval()
    x = torch.randn(BATCH, IN_DIM)
    path = tmp_path / "architecture.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            architecture, (x,), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "b"}}
        )
    session = onnxruntime.InferenceSession(path.read_bytes())
    for rows in (1, BATCH):
        (found,) = session.run(None, {"x": x[:rows].numpy()})
        np.testing.assert_allclose(found, architecture(x[:rows]).detach(), atol=1e-5)


def test_a_network_of_it_learns_64_rows_by_heart(name: str) -> None:
    torch.manual_seed(0)
    tasks = {
        "click": BinaryTask(kind="binary", event="click"),
        "purchase": BinaryTask(kind="binary", event="purchase", after="click"),
        "value": AmountTask(kind="amount", event="purchase", after="purchase"),
    }
    statistics = {task: LabelStatistics(0.3, 0.5 if task == "purchase" else 1.0) for task in tasks}
    network = Network([66], 0, tasks, statistics, MODEL.model_copy(update={"architecture": name}))
    codes = torch.arange(64)[:, None]  # each row has a code of its own, so all can be learnt
    click = (torch.rand(64) < 0.5).float()
    purchase = click * (torch.rand(64) < 0.6)
    labels = torch.stack([click, purchase, purchase * (1 + 9 * torch.rand(64))], dim=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        outcomes = network(codes, torch.empty(64, 0))
        losses = network.losses(outcomes, labels, torch.ones(64))
        losses.sum().backward()
        optimizer.step()
    expected = {task: outcome.expected() for task, outcome in outcomes.items()}
    assert ((expected["click"] > 0.5) == (click > 0)).all()
    assert ((expected["purchase"] > 0.5) == (purchase > 0)).all()
    bought = purchase > 0
    torch.testing.assert_close(expected["value"][bought], labels[bought, 2], rtol=0.2, atol=0.3)
