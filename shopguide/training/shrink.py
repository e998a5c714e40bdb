"""Store a graph's weights in fewer bits."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from shopguide.spec.model import Stored

_LEAST = 256  # numbers of a weight below which there is nothing to save


def shrink(graph: bytes, stored: Stored) -> bytes:
    """Return the graph with its large weights stored as float16, or as int8 with scales.

        float16: W ≈ float32(half(W))        int8: W ≈ s · round(W / s), s = max|W| / 127

    s is a number per row of a matrix, per output unit of a bank of them. The graph casts them back
    to float32, which ONNX Runtime does once, when it opens the graph: a smaller file, the same
    speed, the same kernels. What the rounding costs is measured by the caller.

    Args:
        graph: an ONNX model with float32 weights.
        stored: `float32` returns it as it is.
    """
    if stored == "float32":
        return graph
    model = onnx.load_from_string(graph)
    nodes, weights = [], []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _LEAST:
            weights.append(weight)
        elif stored == "float16":
            weights.append(numpy_helper.from_array(values.astype(np.float16), f"{weight.name}.f16"))
            nodes.append(_cast(f"{weight.name}.f16", weight.name))
        else:
            rounded, scale = _rounded(values)
            parts = {f"{weight.name}.i8": rounded, f"{weight.name}.scale": scale}
            weights += [numpy_helper.from_array(part, name) for name, part in parts.items()]
            whole, scales = f"{weight.name}.whole", f"{weight.name}.scale"
            nodes.append(_cast(f"{weight.name}.i8", whole))
            nodes.append(helper.make_node("Mul", [whole, scales], [weight.name]))
    graph_nodes = [*nodes, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(weights)
    model.graph.node.extend(graph_nodes)
    onnx.checker.check_model(model)
    smaller: bytes = model.SerializeToString()
    return smaller


def _rounded(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    axis = 1 if values.ndim > 1 else 0  # of a matrix [rows, ·] a row's, of a bank [E, D, H] D's
    largest = np.abs(values).max(axis=axis, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(values / scale).astype(np.int8), scale


def _cast(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], to=TensorProto.FLOAT)
