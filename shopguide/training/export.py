"""Export a trained network to ONNX, and check that the graph predicts what the network does."""

import io
import logging
import warnings

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from shopguide.bundle.bundle import open_session
from shopguide.models import Network
from shopguide.training.samples import Samples

TOLERANCE = 1e-5
"""Largest |graph − network| / (1 + |network|) of any task on any row checked."""

_log = logging.getLogger(__name__)


class _Scorer(nn.Module):
    """The network with the tasks' expected outcomes as outputs."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, categorical: Tensor, numeric: Tensor) -> tuple[Tensor, ...]:
        outcomes = self.network(categorical, numeric)
        return tuple(outcome.expected() for outcome in outcomes.values())


def export_graph(network: Network, rows: Samples) -> tuple[bytes, float]:
    """Export a network, and run both on real rows.

    Args:
        network: trained.
        rows: at least two real rows.

    Returns:
        The ONNX model (inputs `categorical` int64 [B, C], `numeric` float32 [B, N]; an output [B]
        per task), and the largest difference found, at most `TOLERANCE`.
    """
    scorer = _Scorer(network).eval()
    feed = (rows.categorical.long(), rows.numeric)
    graph = _export(scorer, feed, list(network.parents))
    with torch.no_grad():
        expected = [output.double().numpy() for output in scorer(*feed)]
    session = open_session(graph, threads=1)
    arrays = {"categorical": feed[0].numpy(), "numeric": feed[1].numpy()}
    names = [graph_input.name for graph_input in session.get_inputs()]
    found = session.run(list(network.parents), {name: arrays[name] for name in names})
    difference = max(
        float(np.max(np.abs(f - e) / (1 + np.abs(e)))) for f, e in zip(found, expected, strict=True)
    )
    assert difference <= TOLERANCE, f"the ONNX graph differs from the network by {difference:g}"
    _log.info(
        "export: %d kB, differs by %.1e on %d rows", len(graph) // 1024, difference, len(rows)
    )
    return graph, difference


def _export(scorer: _Scorer, feed: tuple[Tensor, Tensor], tasks: list[str]) -> bytes:
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter's own calls
        program = torch.onnx.export(
            scorer,
            feed,
            input_names=["categorical", "numeric"],
            output_names=tasks,
            dynamic_shapes=({0: batch}, {0: batch}),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _strip(model)
    onnx.checker.check_model(model)
    buffer = io.BytesIO()
    onnx.save_model(model, buffer)
    return buffer.getvalue()


def _strip(model: onnx.ModelProto) -> None:
    """Drop stack traces and paths of the machine that exported the graph."""
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
