"""`deploy/ci/service.sh` builds and tries a promoted model as CI does."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import PlantedRun
from tests.deploy.conftest import run

SCRIPT = "deploy/ci/service.sh"


REGISTRY = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The address of a registry on this machine."""
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "registry.yaml"
    config.write_text(REGISTRY.format(folder=tmp_path / "registry", port=port))
    process = subprocess.Popen(["docker-registry", "serve", str(config)], stderr=subprocess.DEVNULL)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


def in_containers(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs docker and the planted shop."""
    for mark in ("container", "service", "slow"):
        test = getattr(pytest.mark, mark)(test)
    return pytest.mark.xdist_group("planted")(test)


@dataclass(frozen=True, slots=True)
class Built:
    """What the script built.

    Args:
        image: its name.
        out: where the script writes.
        settings: of the further steps.
    """

    image: str
    out: Path
    settings: dict[str, str]


@pytest.fixture(scope="module")
def built(
    planted_run: PlantedRun,
    images: dict[str, str],  # noqa: ARG001 - they come first
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    """The image of a promoted model."""
    out = tmp_path_factory.mktemp("dist")
    settings = {"BENTO": str(planted_run.out / "bento.txt"), "OUT": str(out)}
    done = run(SCRIPT, "build", **settings)
    assert done.returncode == 0, done.stderr
    return Built(done.stdout.splitlines()[-1].split()[0], out, settings)


@in_containers
def test_a_promoted_model_becomes_an_image_that_serves_it(built: Built) -> None:
    assert built.image.startswith("shopguide/planted:")
    smoke = run(SCRIPT, "smoke", **built.settings)
    assert smoke.returncode == 0, smoke.stdout + smoke.stderr
    found = json.loads((built.out / "smoke.json").read_text())
    assert found["wrong"] == []
    assert found["largest_difference"] <= 1e-5


@in_containers
def test_it_says_what_is_in_the_image(built: Built) -> None:
    assert run(SCRIPT, "sbom", **built.settings).returncode == 0
    sbom = json.loads((built.out / "sbom.json").read_text())
    names = {component["name"] for component in sbom["components"]}
    assert {"bentoml", "onnxruntime"} <= names
    assert "torch" not in names
    provenance = json.loads((built.out / "provenance.json").read_text())
    assert provenance["subject"][0]["name"] == built.image


@in_containers
def test_the_image_is_pushed_and_named_by_its_digest(built: Built, registry: str) -> None:
    pushed = run(SCRIPT, "push", REGISTRY=f"{registry}/shop/ranking", **built.settings)
    assert pushed.returncode == 0, pushed.stderr
    assert re.fullmatch(rf"{registry}/shop/ranking@sha256:[0-9a-f]{{64}}\n", pushed.stdout)


@pytest.mark.parametrize(
    ("step", "settings", "says"),
    [
        ("deliver", {}, "usage:"),
        ("build", {"BENTO": "nowhere/bento.txt"}, "no built Bento there"),
        ("push", {}, "REGISTRY is not set"),
        ("deploy", {}, "NAMESPACE is not set"),
    ],
)
def test_what_is_missing_is_said(step: str, settings: dict[str, str], says: str) -> None:
    done = run(SCRIPT, step, **settings)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize("step", ["smoke", "sbom"])
def test_a_step_before_build_says_one_thing_and_stops(step: str, tmp_path: Path) -> None:
    done = run(SCRIPT, step, BUNDLE=str(tmp_path), OUT=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"{tmp_path}/bento.txt: no Bento was built from BUNDLE yet. "
        "Run `deploy/ci/service.sh build` first."
    ]


KUBECTL = """#!/bin/sh
echo "$@" >> "{log}"
case "$*" in *"rollout status"*) exit {status};; esac
"""


@pytest.mark.parametrize(("status", "code", "last"), [(0, 0, "status"), (1, 1, "undo")])
def test_a_version_that_does_not_get_ready_is_rolled_back(
    tmp_path: Path, status: int, code: int, last: str
) -> None:
    log, kubectl = tmp_path / "log", tmp_path / "kubectl"
    kubectl.write_text(KUBECTL.format(log=log, status=status))
    kubectl.chmod(0o755)
    (tmp_path / "pushed.txt").write_text("registry.example/ranking@sha256:0\n")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run(SCRIPT, "deploy", PATH=path, OUT=str(tmp_path), NAMESPACE="shop")
    asked = log.read_text().splitlines()
    assert done.returncode == code
    assert asked[0] == (
        "--namespace shop set image deployment/ranking ranking=registry.example/ranking@sha256:0"
    )
    assert f"rollout {last} deployment/ranking" in asked[-1]


DOCKER = """#!/bin/sh
echo "$@" >> "{log}"
case "$1" in run) echo container;; exec) cat >/dev/null; echo '{{}}';; esac
"""


def _smoke(folder: Path, **settings: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the smoke step on a Bento with a docker that writes down what it is asked."""
    log, docker, bento = folder / "log", folder / "docker", folder / "bento"
    docker.write_text(DOCKER.format(log=log))
    docker.chmod(0o755)
    bento.mkdir()
    (bento / "bento.yaml").write_text("name: tiny\nversion: v1\n")
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    done = run(SCRIPT, "smoke", PATH=path, OUT=str(folder), BENTO=str(bento), **settings)
    return done, log.read_text().splitlines() if log.exists() else []


def test_a_smoke_test_with_features_reads_a_copy_of_their_store(tmp_path: Path) -> None:
    store = tmp_path / "home" / "feature_store"
    store.mkdir(parents=True)
    (store / "online.db").write_text("")
    done, asked = _smoke(tmp_path, FEATURES=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    mounted = re.search(r"--volume (\S+):/state/feature_store ", asked[0])
    assert mounted is not None
    assert mounted[1] != str(store), "the home itself is not written to"
    assert not Path(mounted[1]).exists(), "the copy is gone"
    assert asked[1].endswith("python3 - --features")


def test_a_smoke_test_without_features_mounts_nothing(tmp_path: Path) -> None:
    done, asked = _smoke(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--volume" not in asked[0]
    assert asked[1].endswith("python3 -")


def test_features_that_are_not_there_are_said(tmp_path: Path) -> None:
    done, asked = _smoke(tmp_path, FEATURES=str(tmp_path))
    assert done.returncode == 2
    assert "feature_store/online.db: no such file" in done.stderr
    assert asked == []
