"""A folder is a bundle only as it was written: its files, and what its manifest says of them."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from shopguide.bundle import Contents, load_bundle, write_bundle
from shopguide.errors import ShopguideError
from tests.bundles import edit, reseal

PERIOD = {"start": "2020-01-01T00:00:00Z", "end": "2020-02-01T00:00:00Z"}


def refused(folder: Path) -> str:
    with pytest.raises(ShopguideError) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_changed_file_is_refused_by_name(folder: Path) -> None:
    (folder / "calibrators.json").write_text('{"tasks": {}}')
    assert refused(folder).startswith(f"{folder}/calibrators.json: was changed since")


@pytest.mark.parametrize(
    "name", ["model.onnx", "spec.yaml", "preprocessing.json", "training.json", "golden.parquet"]
)
def test_a_missing_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert refused(folder).startswith(f"{folder}/{name}: went missing since")
    checksums = json.loads((folder / "bundle.json").read_text())["checksums"]
    del checksums[name]
    reseal(folder, {"checksums": checksums})
    assert f"bundle.json checksums: lacks {name}, which a bundle needs" in refused(folder)


def test_a_stray_file_is_refused(folder: Path) -> None:
    (folder / "fusion.json").write_text("{}")  # weights that nobody solved for
    assert "holds fusion.json, which the manifest does not know" in refused(folder)


@pytest.mark.parametrize("name", ["../elsewhere.json", "/etc/passwd", "a\nb", "weights.bin"])
def test_a_manifest_may_name_no_other_files(folder: Path, name: str) -> None:
    checksums = json.loads((folder / "bundle.json").read_text())["checksums"]
    reseal(folder, {"checksums": {**checksums, name: "0" * 64}})
    assert f"checksums: names {name!r}, which no bundle has" in refused(folder)


def test_a_link_in_place_of_a_file_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "model.onnx").rename(tmp_path / "outside.onnx")
    (folder / "model.onnx").symlink_to(tmp_path / "outside.onnx")
    assert "model.onnx: is a link; a bundle holds files alone" in refused(folder)
    (tmp_path / "outside.onnx").unlink()
    assert "model.onnx: is a link" in refused(folder)


def test_what_is_no_file_is_refused(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")  # reading it would wait for ever
    assert "model.onnx: is not a file" in refused(folder)
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").mkdir()
    assert "model.onnx: is not a file" in refused(folder)


def test_a_link_to_a_whole_bundle_is_a_bundle(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(folder)
    assert load_bundle(tmp_path / "latest").manifest == load_bundle(folder).manifest


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "other"),
        ("tasks", [{"name": "click", "kind": "binary"}]),
        ("categories", {"intent": ["buy", "leave"]}),
        ("inputs", []),
        ("feature_service", "another"),
        ("train_period", PERIOD),
        ("versions", {"torch": "9"}),
        ("version", "0" * 12),
        ("checksum", "0" * 64),
    ],
)
def test_an_edited_manifest_is_refused(folder: Path, field: str, value: object) -> None:
    edit(folder, {field: value})
    assert "bundle.json: was edited since it was written" in refused(folder)


@pytest.mark.parametrize(
    ("field", "value", "document"),
    [
        ("name", "other", "spec.yaml: other against tiny"),
        ("tasks", [{"name": "click", "kind": "binary"}], "spec.yaml: nothing against name='buy'"),
        ("categories", {"intent": ["buy", "leave"]}, "spec.yaml"),
        ("inputs", [{"name": "size", "kind": "numeric"}], "preprocessing.json: name='size'"),
        ("inputs", [], "preprocessing.json: nothing against name='colour'"),
        ("train_period", PERIOD, "profile.json"),
    ],
)
def test_a_manifest_that_its_documents_contradict_is_refused(
    folder: Path, field: str, value: object, document: str
) -> None:
    reseal(folder, {field: value})
    found = refused(folder)
    assert f"bundle.json {field}: says otherwise than {document}" in found


def test_the_checksum_covers_what_only_the_manifest_says(
    contents: Contents, tmp_path: Path
) -> None:
    one = write_bundle(tmp_path / "a", contents)
    other = write_bundle(tmp_path / "b", replace(contents, feature_service="another"))
    assert one.checksums == other.checksums
    assert one.checksum != other.checksum


def test_another_format_is_refused(folder: Path) -> None:
    edit(folder, {"format": 1})
    assert "format 1, this version reads 2. Train it again" in refused(folder)
