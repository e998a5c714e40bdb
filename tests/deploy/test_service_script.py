"""`deploy/ci/service.sh` builds and tries a promoted model as CI does."""

import json
from pathlib import Path

import pytest

from tests.conftest import PlantedRun
from tests.deploy.conftest import run

SCRIPT = "deploy/ci/service.sh"


@pytest.mark.container
@pytest.mark.service
@pytest.mark.slow
@pytest.mark.xdist_group("planted")
@pytest.mark.usefixtures("images")
def test_a_promoted_model_becomes_an_image_that_serves_it(
    planted_run: PlantedRun, tmp_path: Path
) -> None:
    settings = {"BENTO": str(planted_run.out / "bento.txt"), "OUT": str(tmp_path)}
    built = run(SCRIPT, "build", **settings)
    assert built.returncode == 0, built.stderr
    image = built.stdout.splitlines()[-1].split()[0]
    assert image.startswith("shopguide/planted:")

    smoke = run(SCRIPT, "smoke", **settings)
    assert smoke.returncode == 0, smoke.stdout + smoke.stderr
    found = json.loads((tmp_path / "smoke.json").read_text())
    assert found["wrong"] == []
    assert found["largest_difference"] <= 1e-5

    assert run(SCRIPT, "sbom", **settings).returncode == 0
    sbom = json.loads((tmp_path / "sbom.json").read_text())
    names = {component["name"] for component in sbom["components"]}
    assert {"bentoml", "onnxruntime"} <= names
    assert "torch" not in names
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["subject"][0]["name"] == image


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
