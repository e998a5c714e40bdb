"""The committed YAML is what the code compiles to, and it is a valid pipeline."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.compiling import ROOT, compile_all, compile_for, differences
from shopguide.errors import ShopguideError

COMPILED = sorted((ROOT / "pipelines" / "compiled").glob("*.yaml")) + sorted(
    (ROOT / "components" / "compiled").glob("*.yaml")
)


def test_the_committed_yaml_is_in_sync() -> None:
    assert differences() == ""


def test_an_edited_and_a_leftover_file_are_told(tmp_path: Path) -> None:
    compile_all(tmp_path)
    assert differences(tmp_path) == ""
    edited = tmp_path / "components" / "compiled" / "train_mtl.yaml"
    edited.write_text(edited.read_text().replace("train-mtl", "train-other"))
    shutil.copyfile(edited, edited.with_name("leftover.yaml"))
    diff = differences(tmp_path)
    assert "train-other" in diff
    assert "committed/components/compiled/leftover.yaml" in diff


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.stem)
def test_every_compiled_file_is_a_strict_pipeline_spec(path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    spec = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
    for platform in documents[1:]:
        json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    assert spec.root.dag.tasks


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.stem)
def test_no_step_installs_anything_or_holds_a_secret(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "pip install" not in text
    for word in ("password", "secret_key", "token"):
        assert word not in text.lower()


def test_the_champion_changes_only_after_the_gate_and_the_blessing() -> None:
    pipeline = yaml.safe_load((ROOT / "pipelines/compiled/train_and_promote.yaml").read_text())
    dags = {
        name: component["dag"]["tasks"]
        for name, component in pipeline["components"].items()
        if "dag" in component
    }
    (holder,) = [name for name, tasks in dags.items() if "promote-model" in tasks]
    conditions = []
    while holder.startswith("comp-condition") and not holder.startswith("comp-condition-branches"):
        (parent, task) = next(
            (name, task)
            for name, tasks in dags.items()
            for task in tasks.values()
            if task["componentRef"]["name"] == holder
        )
        conditions.append(task["triggerPolicy"]["condition"])
        holder = next(
            (
                name
                for name, tasks in dags.items()
                if any(task["componentRef"]["name"] == parent for task in tasks.values())
            ),
            "root",
        )
    asked = " ".join(conditions)
    for step in ("validate-data", "evaluate-gate", "package-bento"):
        assert f"{step}-Output'] == true" in asked, asked


def test_an_outdated_page_of_contracts_is_told(tmp_path: Path) -> None:
    compile_all(tmp_path)
    page = tmp_path / "components" / "README.md"
    page.write_text(page.read_text().replace("never cached", "cached"))
    assert "components/README.md" in differences(tmp_path)


def test_the_files_for_an_image_of_ones_own_name_no_other(tmp_path: Path) -> None:
    image = f"registry.example/shop/train@sha256:{'0' * 64}"
    written = compile_for(image, tmp_path)
    for path in written:
        if path.suffix == ".yaml":
            text = path.read_text()
            assert set(re.findall(r"image: (\S+)", text)) == {image}
    assert differences() == "", "what is committed stays as it is"


@pytest.mark.parametrize(
    "image", ["train", "train:latest", "registry:5000/train", "train@sha256:12", "a b:1", ""]
)
def test_an_image_that_may_move_is_refused(image: str, tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match="--image") as caught:
        compile_for(image, tmp_path)
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())
