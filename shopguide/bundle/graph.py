"""The ONNX graph of a bundle: opened, held against the bundle's documents, and run."""

import json
import os
from collections.abc import Callable

import numpy as np
import onnxruntime
import pyarrow as pa
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from shopguide.bundle.manifest import GRAPH, Manifest
from shopguide.bundle.preprocessing import MISSING, UNKNOWN, Preprocessing
from shopguide.errors import ShopguideError

_CHUNK = 8_192  # rows a graph call: bounds memory by this, not by the table
ROWS = "rows"
"""Input of a graph: positions of the rows whose request-wide inputs stand for all, one or all."""

ALIKE = "alike"
"""Key of a graph's metadata: the names of its request-wide inputs, JSON."""

_FATAL = 4  # ONNX Runtime prints nothing below it: what fails is raised
_FLOATS = ("tensor(float)", "tensor(double)")
_FIX = "Train the bundle again with this version of shopguide"

_FAILURES: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(e for e in vars(_state).values() if isinstance(e, type) and issubclass(e, Exception)),
)
"""What ONNX Runtime raises; its own errors have no common ancestor."""


def open_session(
    graph: bytes, *, threads: int | None = None, where: str = GRAPH
) -> onnxruntime.InferenceSession:
    """Open a graph for scoring on the processor.

    Args:
        graph: an ONNX model that holds all its weights; none is read from another file.
        threads: of one graph call; None leaves it to ONNX Runtime (all cores).
        where: file that it was read from, for messages.

    Raises:
        ShopguideError: it is no ONNX model that this ONNX Runtime can run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    # where weights outside the graph would be looked for: nowhere, instead of the working directory
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.devnull
    )
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except _FAILURES as error:
        raise ShopguideError(
            where, f"not a graph that ONNX Runtime can open: {_told(error)}", _FIX
        ) from None


def run_graph(
    session: onnxruntime.InferenceSession,
    preprocessing: Preprocessing,
    table: pa.Table,
    *,
    where: str = GRAPH,
) -> dict[str, NDArray[np.float64]]:
    """Preprocess a table and run the graph over it, [N] by output, or [N, classes].

    Raises:
        ShopguideError: the table lacks a column, or the graph fails or returns another shape.
    """
    return _in_chunks(
        session,
        table.num_rows,
        lambda start: preprocessing.transform(table.slice(start, _CHUNK)),
        where,
    )


def run_encoded(
    session: onnxruntime.InferenceSession,
    codes: NDArray[np.int64],
    numbers: NDArray[np.float32],
    *,
    alike: bool = False,
    where: str = GRAPH,
) -> dict[str, NDArray[np.float64]]:
    """Run the graph over what the preprocessing returned: as `run_graph`, for a request's rows.

    Args:
        session: of the graph.
        codes: [N, C].
        numbers: [N, M].
        alike: the inputs of `alike_inputs` have one value in all rows.
        where: file of the graph, for messages.

    Raises:
        ShopguideError: the graph fails, or returns another shape.
    """
    return _in_chunks(
        session,
        len(codes),
        lambda start: (codes[start : start + _CHUNK], numbers[start : start + _CHUNK]),
        where,
        alike=alike,
    )


def alike_inputs(session: onnxruntime.InferenceSession) -> frozenset[str]:
    """Return the inputs whose share of the first layer the graph can compute once for all rows.

    A graph that can has the input `rows`, and names them in its metadata.
    """
    noted = session.get_modelmeta().custom_metadata_map.get(ALIKE, "[]")
    return frozenset(json.loads(noted))


def _in_chunks(
    session: onnxruntime.InferenceSession,
    rows: int,
    encoded: Callable[[int], tuple[NDArray[np.int64], NDArray[np.float32]]],
    where: str,
    *,
    alike: bool = False,
) -> dict[str, NDArray[np.float64]]:
    expected = {
        output.name: np.empty((rows, *output.shape[1:]), dtype=np.float64)
        for output in session.get_outputs()
    }
    for start in range(0, rows, _CHUNK):
        codes, numbers = encoded(start)
        for name, values in _run(session, codes, numbers, where, alike=alike).items():
            expected[name][start : start + len(codes)] = values
    return expected


def check_graph(
    session: onnxruntime.InferenceSession,
    manifest: Manifest,
    preprocessing: Preprocessing,
    where: str,
) -> None:
    """Refuse a graph that does not fit the bundle: by what it declares, then by a trial run.

    The trial gives each coded input its first and its last code, so that a vocabulary larger than
    the graph's embedding is found here and not by the first request that holds such a value.

    Args:
        session: of the graph.
        manifest: names its outputs.
        preprocessing: makes its inputs.
        where: file of the graph.

    Raises:
        ShopguideError: an input or output has another name, type or shape, or the trial fails.
    """
    widths = {
        "categorical": ("tensor(int64)", preprocessing.code_width),
        "numeric": ("tensor(float)", preprocessing.numeric_width),
    }
    for found in session.get_inputs():
        if found.name == ROWS:
            _require_shape(found, ("tensor(int64)",), [], where)
            continue
        if found.name not in widths:
            raise _misfit(where, f"reads the input {found.name!r}, expected {' and '.join(widths)}")
        kind, width = widths[found.name]
        _require_shape(found, (kind,), [width], where)
    try:
        noted = alike_inputs(session)
    except (ValueError, TypeError):
        raise _misfit(where, f"notes under {ALIKE!r} what is no list of names") from None
    if not noted <= set(preprocessing.names):
        raise _misfit(where, f"notes under {ALIKE!r} what is no input of the bundle")
    wanted: dict[str, list[int]] = {task.name: [] for task in manifest.tasks}
    wanted |= {name: [len(classes)] for name, classes in manifest.categories.items()}
    outputs = {output.name: output for output in session.get_outputs()}
    if set(outputs) != set(wanted):
        raise _misfit(
            where, f"returns {', '.join(outputs)}, and bundle.json has {', '.join(wanted)}"
        )
    for name, classes in wanted.items():
        _require_shape(outputs[name], _FLOATS, classes, where)
    numbers = np.zeros((3, preprocessing.numeric_width), dtype=np.float32)
    _run(session, _trial_codes(preprocessing), numbers, where)


def _require_shape(
    found: onnxruntime.NodeArg, types: tuple[str, ...], width: list[int], where: str
) -> None:
    """Hold an input or output against [rows of any number, *width]."""
    shape = list(found.shape)
    if found.type not in types or shape[1:] != width or not shape or isinstance(shape[0], int):
        said = ", ".join(["rows", *map(str, width)])
        raise _misfit(
            where,
            f"declares {found.name!r} as {found.type} of shape {shape}, "
            f"expected {types[0]} of shape [{said}]",
        )


def _run(
    session: onnxruntime.InferenceSession,
    codes: NDArray[np.int64],
    numbers: NDArray[np.float32],
    where: str,
    *,
    alike: bool = False,
) -> dict[str, NDArray[np.float64]]:
    feed = {"categorical": codes, "numeric": numbers, ROWS: np.arange(1 if alike else len(codes))}
    outputs = session.get_outputs()
    wanted = [graph_input.name for graph_input in session.get_inputs()]
    try:
        found = session.run([o.name for o in outputs], {name: feed[name] for name in wanted})
    except _FAILURES as error:
        raise _misfit(where, f"fails on {len(codes)} rows: {_told(error)}") from None
    for output, values in zip(outputs, found, strict=True):
        expected = (len(codes), *output.shape[1:])
        if np.shape(values) != expected:
            raise _misfit(
                where,
                f"returns {output.name!r} of shape {list(np.shape(values))} for {len(codes)} rows, "
                f"expected {list(expected)}",
            )
    return {output.name: values for output, values in zip(outputs, found, strict=True)}


def _trial_codes(preprocessing: Preprocessing) -> NDArray[np.int64]:
    last = [code for code, times in preprocessing.last_codes() for _ in range(times)]
    rows = [[MISSING] * len(last), [UNKNOWN] * len(last), last]
    return np.array(rows, dtype=np.int64).reshape(3, len(last))


def _misfit(where: str, what: str) -> ShopguideError:
    return ShopguideError(where, what, _FIX)


def _told(error: Exception) -> str:
    """Return the gist of an error of ONNX Runtime: `[ONNXRuntimeError] : 1 : FAIL : GIST`."""
    lines = str(error).split(" : ", 3)[-1].strip().splitlines()
    return lines[0][:200].rstrip(". ") if lines else type(error).__name__
