"""Export a trained network to ONNX, and check that the graph predicts what the network does."""

import copy
import json
import logging
import tempfile
import warnings
from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper
from torch import Tensor, nn

from shopguide.bundle.graph import ALIKE, ROWS, open_session
from shopguide.bundle.preprocessing import MISSING, UNKNOWN
from shopguide.models import Network
from shopguide.models.bank import Bank
from shopguide.training.samples import Samples
from shopguide.training.split import Split

TOLERANCE = 1e-5
"""Largest |graph − network| / (1 + |network|) of any task on any row checked."""

_log = logging.getLogger(__name__)


class _Scorer(nn.Module):
    """The network with the tasks' expected outcomes as outputs.

    Args:
        network: trained.
        split: computes the request-wide columns' part of the first layer apart; None: it does not.
    """

    def __init__(self, network: Network, split: Split | None = None) -> None:
        super().__init__()
        self.network = network
        self.split = split

    def forward(
        self, categorical: Tensor, numeric: Tensor, rows: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        if self.split is not None and rows is not None:
            self.split.install(rows)
        outcomes = self.network(categorical, numeric)
        return tuple(outcome.expected() for outcome in outcomes.values())


def export_graph(
    network: Network, rows: Samples, request_wide: Collection[str] = ()
) -> tuple[bytes, float]:
    """Export a network, and run both on real rows and on strangers to the training rows.

    Args:
        network: trained.
        rows: at least two real rows.
        request_wide: inputs that are alike in all rows of a request, as a rule: where a first layer
            reads the input as it is, the graph computes their part of it for the rows that `rows`
            names, one or all.

    Returns:
        The ONNX model (inputs `categorical` int64 [B, C], `numeric` float32 [B, N], and maybe
        `rows` int64 [B] or [1]; an output [B] per task), and the largest difference found, at most
        `TOLERANCE`.
    """
    scorer = _Scorer(network).eval()
    feed = _with_strangers(rows.categorical[:, : network.code_width].long(), rows.numeric)
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, Bank):
            module.fold_norms()
    split = Split.of(folded, request_wide, *feed)
    graph = _export(_Scorer(folded, split).eval(), feed, list(network.parents), split)
    every = torch.arange(len(feed[0]))
    difference = _difference(graph, scorer, feed, every)
    if split is not None:
        alike = split.alike_rows(*feed)
        difference = max(difference, _difference(graph, scorer, alike, every[:1]))
    assert difference <= TOLERANCE, f"the ONNX graph differs from the network by {difference:g}"
    size = len(graph) // 1024
    _log.info("export: %d kB, differs by %.1e on %d rows", size, difference, len(rows))
    return graph, difference


def _difference(graph: bytes, scorer: _Scorer, feed: tuple[Tensor, Tensor], rows: Tensor) -> float:
    with torch.no_grad():
        expected = [output.double().numpy() for output in scorer(*feed)]
    session = open_session(graph, threads=1)
    arrays = {"categorical": feed[0], "numeric": feed[1], ROWS: rows}
    wanted = {one.name: arrays[one.name].numpy() for one in session.get_inputs()}
    found = session.run(list(scorer.network.parents), wanted)
    return max(
        float(np.max(np.abs(f - e) / (1 + np.abs(e)))) for f, e in zip(found, expected, strict=True)
    )


def _with_strangers(codes: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Append a row of which nothing is known, lists included, and one of unseen values."""
    strangers = torch.tensor([[MISSING], [UNKNOWN]]).expand(-1, codes.shape[1])
    return torch.cat([codes, strangers]), torch.cat([numbers, torch.zeros(2, numbers.shape[1])])


def _export(
    scorer: _Scorer, feed: tuple[Tensor, Tensor], tasks: list[str], split: Split | None
) -> bytes:
    # the tracing exporter: as fast a graph and as equal as the newer one's, in 0.15 s against 4 s,
    # and without the machine's paths in it; torch's pin is what keeps it
    names, inputs = ["categorical", "numeric"], [*feed]
    axes = {name: {0: "batch"} for name in (*names, *tasks)}
    if split is not None:
        names.append(ROWS)
        inputs.append(torch.arange(len(feed[0])))
        axes[ROWS] = {0: "rows"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            scorer,
            tuple(inputs),
            path,
            input_names=names,
            output_names=tasks,
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        model = onnx.load(path)
    if split is not None:
        helper.set_model_props(model, {ALIKE: json.dumps(sorted(split.names))})
    onnx.checker.check_model(model)
    graph: bytes = model.SerializeToString()
    return graph
