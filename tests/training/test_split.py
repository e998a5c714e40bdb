"""What is alike in all rows of a request is multiplied once in the graph; answers stay the same."""

import numpy as np
import pytest
import torch

from shopguide.bundle.graph import ALIKE, alike_inputs, open_session
from shopguide.models import Inputs, Network
from shopguide.models.heads import LabelStatistics
from shopguide.spec import parts
from shopguide.spec.model import Model
from shopguide.spec.tasks import BinaryTask
from shopguide.training.export import export_graph
from shopguide.training.samples import Samples

ROWS = 24
USER = frozenset({"c0", "n0", "n2", "elsewhere"})


def _network(architecture: str) -> Network:
    torch.manual_seed(0)
    tasks = {
        "click": BinaryTask(kind="binary", event="click"),
        "buy": BinaryTask(kind="binary", event="buy", after="click"),
    }
    statistics = {"click": LabelStatistics(0.2), "buy": LabelStatistics(0.1, parent_rate=0.2)}
    model = Model(architecture=architecture, hidden=[16, 8], embedding_dim=16, batch_norm=True)
    network = Network(Inputs.plain([300, 300, 9], 4), tasks, statistics, model)
    for _ in range(3):
        network(*_rows(ROWS))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def _rows(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    codes = torch.stack([torch.randint(size, (count,)) for size in (300, 300, 9)], dim=1)
    return codes, torch.randn(count, 4)


def _exported(network: Network) -> bytes:
    codes, numbers = _rows(ROWS)
    samples = Samples(codes.int(), numbers, torch.zeros(ROWS, 2), torch.ones(ROWS))
    return export_graph(network, samples, USER)[0]


def _predicted(graph: bytes, codes: torch.Tensor, numbers: torch.Tensor, rows: int) -> np.ndarray:
    feed = {"categorical": codes.numpy(), "numeric": numbers.numpy(), "rows": np.arange(rows)}
    return np.stack(open_session(graph).run(None, feed))


@pytest.mark.parametrize("architecture", ["shared_bottom", "mmoe", "cgc", "ple", "aitm"])
def test_one_row_stands_for_all_of_a_request(architecture: str) -> None:
    network = _network(architecture)
    graph = _exported(network)
    codes, numbers = _rows(50)
    expected = np.stack([one.expected().detach() for one in network(codes, numbers).values()])
    np.testing.assert_allclose(_predicted(graph, codes, numbers, 50), expected, atol=1e-6)
    codes[:, 0], numbers[:, 0], numbers[:, 2] = codes[0, 0], numbers[0, 0], numbers[0, 2]
    expected = np.stack([one.expected().detach() for one in network(codes, numbers).values()])
    np.testing.assert_allclose(_predicted(graph, codes, numbers, 1), expected, atol=1e-6)
    assert alike_inputs(open_session(graph)) == {"c0", "n0", "n2"}


@pytest.mark.parametrize("architecture", sorted(parts.ARCHITECTURES))
def test_every_architecture_is_exported_with_or_without_it(architecture: str) -> None:
    network = _network(architecture)
    session = open_session(_exported(network))
    read = {one.name for one in session.get_inputs()}
    assert ("rows" in read) == (ALIKE in session.get_modelmeta().custom_metadata_map)
    if architecture in ("pepnet", "stem"):  # the first layer reads what was made of the input
        assert "rows" not in read


def test_too_few_columns_are_not_split() -> None:
    network = _network("mmoe")
    codes, numbers = _rows(ROWS)
    samples = Samples(codes.int(), numbers, torch.zeros(ROWS, 2), torch.ones(ROWS))
    graph, _ = export_graph(network, samples, {"n0", "n1"})
    assert {one.name for one in open_session(graph).get_inputs()} == {"categorical", "numeric"}
