"""From shop logs to a promoted multi-task ranking model.

shopguide turns a shop's behaviour logs into one model of several behaviours, solves for the
trade-off the shop wants, and promotes a new model only when it is shown to improve it.
"""

import os

# ONNX Runtime keeps a database of its use from its import on; its switch in Python comes too late
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
