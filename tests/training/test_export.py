"""The exported graph, beside the network that it came from."""

import numpy as np
import pytest
import torch

from shopguide.bundle.graph import open_session
from shopguide.bundle.preprocessing import MISSING
from shopguide.models import CodedInput, Inputs, Network
from shopguide.models.heads import LabelStatistics
from shopguide.spec.model import Model
from shopguide.spec.tasks import BinaryTask, CategoryTask
from shopguide.training.export import TOLERANCE, export_graph
from shopguide.training.samples import Samples

ROWS = 12


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    coded = (
        CodedInput("item_id", 9),
        CodedInput("seen", 9, length=3, encoder="transformer", of="item_id"),
        CodedInput("position", 5, training_only=True),
    )
    tasks = {
        "click": BinaryTask(kind="binary", event="click"),
        "intent": CategoryTask(kind="category", classes={"buy": "purchase"}),
    }
    statistics = {
        "click": LabelStatistics(0.2),
        "intent": LabelStatistics(0.5, class_rates=(0.3, 0.7)),
    }
    return Network(Inputs(coded, ("price",)), tasks, statistics, Model(hidden=[8], embedding_dim=4))


def test_it_takes_any_number_of_rows_unknown_ids_and_empty_lists(network: Network) -> None:
    codes = torch.randint(9, (ROWS, 5), dtype=torch.int32)
    codes[:, -1] %= 5
    numbers = torch.randn(ROWS, 1)
    rows = Samples(codes, numbers, torch.zeros(ROWS, 2), torch.ones(ROWS))
    graph, difference = export_graph(network, rows)
    assert difference <= TOLERANCE
    session = open_session(graph)
    shapes = {graph_input.name: graph_input.shape for graph_input in session.get_inputs()}
    assert shapes == {"categorical": ["batch", 4], "numeric": ["batch", 1]}  # without the position
    for some in (1, 5):
        strange = np.full((some, 4), MISSING)
        click, intent = session.run(
            None, {"categorical": strange, "numeric": np.zeros((some, 1), np.float32)}
        )
        assert click.shape == (some,)
        assert intent.shape == (some, 2)
        expected = network(torch.from_numpy(strange), torch.zeros(some, 1))
        np.testing.assert_allclose(click, expected["click"].expected().detach(), atol=TOLERANCE)
        np.testing.assert_allclose(intent.sum(axis=1), 1, atol=1e-6)
