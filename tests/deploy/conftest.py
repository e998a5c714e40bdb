"""Images for the tests that need containers; skipped where there is no docker daemon."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project, with more settings in its environment."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHON": sys.executable} | settings,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def docker() -> None:
    """A docker daemon that answers."""
    if shutil.which("docker") is None or run("docker", "info").returncode:
        pytest.skip("no docker daemon: deploy/ci/container-test.sh starts one")


@pytest.fixture(scope="session")
def images(docker: None) -> dict[str, str]:  # noqa: ARG001 - wanted first
    """The images of this tree, `train` and `serve`; what is built already takes seconds."""
    built = run("deploy/images/build.sh", "train", "serve")
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    lines = [line.split() for line in built.stdout.splitlines() if line.startswith("shopguide/")]
    return {name.split("/")[1].split("-")[0]: name for name, *_ in lines}
