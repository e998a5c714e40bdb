"""ONNX Runtime notes nothing about its use, and sends nothing."""

import os
import subprocess
import sys
from pathlib import Path


def test_onnx_runtime_writes_no_telemetry(tmp_path: Path) -> None:
    unset = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    code = "from shopguide.bundle import load_bundle; import onnxruntime"
    subprocess.run(
        [sys.executable, "-c", code], env=environment | {"HOME": str(tmp_path)}, check=True
    )
    assert list(tmp_path.rglob("*onnxruntime*")) == []
