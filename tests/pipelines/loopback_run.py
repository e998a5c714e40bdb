"""Run one compiled pipeline with kfp's local runner: `loopback_run.py PIPELINE.yaml FOLDER`."""

import json
import os
import sys
from pathlib import Path

from kfp import components, local

from shopguide.step import EVENTS_VARIABLE


def main(package: str, folder: Path) -> None:
    os.environ[EVENTS_VARIABLE] = str(folder / "events.jsonl")
    parameters = json.loads((folder / "parameters.json").read_text(encoding="utf-8"))
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(folder / "root"),
        enable_caching=False,
    )
    components.load_component_from_file(package)(**parameters)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
