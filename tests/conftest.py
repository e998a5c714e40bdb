"""What tests of several rooms need."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from hypothesis import settings

# tests run side by side, so each gets one thread; read when torch or numpy are first imported
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from tests.planted import write_export, write_spec

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")


@pytest.fixture(scope="session")
def complete_journey_spec() -> Path:
    """Path of the default spec."""
    return ROOT / "specs" / "complete_journey.yaml"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the project; its tests are skipped where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no data folder beside the project")
    return folder


@dataclass(frozen=True, slots=True)
class PlantedRun:
    """A planted shop after its first run.

    Args:
        spec: path of its spec.
        out: directory of the run's results.
        printed: what `--json` printed.
    """

    spec: Path
    out: Path
    printed: dict[str, Any]

    def pipelines(self, *arguments: str, out: Path | None = None) -> CompletedProcess[str]:
        """Run `python -m pipelines run` on the shop, as a user types it."""
        command = [sys.executable, "-m", "pipelines", "run", "--spec", str(self.spec)]
        folder = ["--out", str(out or self.out)]
        return _run([*command, *folder, *arguments])

    def shopguide(self, *arguments: str) -> CompletedProcess[str]:
        """Run `shopguide VERB --spec …` on the shop."""
        code = "from shopguide.cli import main; main()"
        verb, *rest = arguments
        return _run([sys.executable, "-c", code, verb, "--spec", str(self.spec), *rest])


def _run(command: list[str]) -> CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )


@pytest.fixture(scope="session")
def planted_run(tmp_path_factory: pytest.TempPathFactory) -> PlantedRun:
    """The whole pipeline on a planted shop, from its export to its first champion."""
    folder = tmp_path_factory.mktemp("planted")
    spec = write_spec(folder, write_export(folder / "export.csv"))
    run = PlantedRun(spec, folder / "out", {})
    done = run.pipelines("--json")
    assert done.returncode == 0, done.stderr
    return replace(run, printed=json.loads(done.stdout.splitlines()[-1]))
