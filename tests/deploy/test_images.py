"""The images as they are: small, without root, without tools; and what runs in them."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kfp import components as kfp_components
from kfp import local

from components._image import IMAGE
from pipelines.local_run import COMPILED
from pipelines.spec_text import spec_text
from shopguide.spec import load_spec
from tests.conftest import PlantedRun
from tests.deploy.conftest import run
from tests.planted import write_export, write_spec

pytestmark = [
    pytest.mark.container,
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.xdist_group("planted"),
]

MOST_BYTES = {"train": 2_500_000_000, "serve": 700_000_000}


def _inspect(image: str) -> dict[str, Any]:
    (found,) = json.loads(run("docker", "image", "inspect", image).stdout)
    answer: dict[str, Any] = found
    return answer


def test_components_name_the_image_that_is_built(images: dict[str, str]) -> None:
    assert images["train"] == IMAGE


@pytest.mark.parametrize("name", ["train", "serve"])
def test_an_image_is_small_labelled_and_has_a_user(images: dict[str, str], name: str) -> None:
    found = _inspect(images[name])
    assert found["Size"] <= MOST_BYTES[name]
    assert int(found["Config"]["User"].split(":")[0]) > 0
    labels = found["Config"]["Labels"]
    assert re.fullmatch("[0-9a-f]{40}|unknown", labels["org.opencontainers.image.revision"])
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_the_service_image_says_how_it_feels(images: dict[str, str]) -> None:
    assert "/readyz" in " ".join(_inspect(images["serve"])["Config"]["Healthcheck"]["Test"])


@pytest.fixture
def open_to_the_container() -> Iterator[None]:
    """Folders that kfp makes on this side are written by the image's user on the other."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("images", "open_to_the_container")
def test_the_pipeline_in_containers_without_network_decides_as_the_subprocesses_do(
    planted_run: PlantedRun, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("containers")
    for folder in (root, *root.parents[:2]):
        folder.chmod(0o755)
    root.chmod(0o777)
    spec = load_spec(write_spec(root, write_export(root / "export.csv")))
    Path(spec.home).mkdir()
    scratch = {"/tmp": "exec"}  # noqa: S108 - the container's own
    hardened = {"read_only": True, "tmpfs": scratch, "cap_drop": ["ALL"]}
    local.init(
        local.DockerRunner(network_mode="none", **hardened),
        pipeline_root=str(root),
        enable_caching=False,
    )
    pipeline = kfp_components.load_component_from_file(str(COMPILED))
    pipeline(spec_text=spec_text(spec), run_id="in-containers")

    def decision(folder: Path) -> dict[str, Any]:
        (path,) = {p.resolve() for p in folder.rglob("evaluate-gate/**/decision.json")} or {
            folder / "decision.json"
        }
        answer: dict[str, Any] = json.loads(path.read_text())
        return answer

    inside, outside = decision(root), decision(planted_run.out)
    assert inside["verdict"] == outside["verdict"] == "promote"
    assert inside["reasons"] == outside["reasons"]
    assert inside["counts"] == outside["counts"]
    for goal, expected in outside["goals"].items():
        assert inside["goals"][goal]["change"] == pytest.approx(expected["change"], abs=1e-3)
    assert (Path(spec.home) / "mlflow.db").is_file(), "the champion is registered"
