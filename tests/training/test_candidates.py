"""Candidates: every combination once, the best on the validation period kept."""

import json
from pathlib import Path

import pytest

from shopguide.bundle import load_bundle
from shopguide.bundle.choice import choose_candidate
from shopguide.errors import ShopguideError
from shopguide.spec import Spec
from shopguide.spec.candidates import candidate_of, candidate_specs
from shopguide.training import Surroundings, train_candidate, train_candidates
from tests.training.changes import with_training

BLOCK = {"architectures": ["shared_bottom", "mmoe"], "seeds": [0, 1]}


def test_all_combinations_are_tried_and_what_is_not_listed_is_the_specs(planted_spec: Spec) -> None:
    spec = with_training(planted_spec, candidates=BLOCK | {"balancers": ["upgrad"]})
    names = [candidate.name for candidate in candidate_specs(spec)]
    assert names == [
        "shared_bottom-upgrad-0", "shared_bottom-upgrad-1", "mmoe-upgrad-0", "mmoe-upgrad-1"
    ]  # fmt: skip
    assert all(c.spec.training.candidates is None for c in candidate_specs(spec))
    (only,) = candidate_specs(planted_spec)
    assert only.spec == planted_spec


def test_the_best_is_kept_and_knows_how_many_there_were(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    spec = with_training(planted_spec, candidates=BLOCK, epochs=1)
    around = Surroundings(checkpoint=tmp_path / "checkpoint", resume=True)
    summary, found = train_candidates(spec, training_set, tmp_path / "model", around=around)
    losses = [candidate.valid_loss for candidate in found.candidates]
    assert losses == sorted(losses)
    assert found.tried == summary.record.candidates == 4
    best = found.candidates[0]
    assert (found.chosen, best.version) == (best.name, summary.version)
    bundle = load_bundle(tmp_path / "model")
    assert bundle.manifest.version == summary.version
    assert f"{bundle.spec.model.architecture}-weighted_sum-{bundle.spec.seed}" == found.chosen
    assert json.loads((tmp_path / "model" / "training.json").read_text())["candidates"] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_older_bundle_is_replaced_and_other_folders_are_not(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    spec = with_training(planted_spec, candidates={"seeds": [0, 1]}, max_steps=2)
    train_candidates(spec, training_set, tmp_path / "model")
    train_candidates(spec, training_set, tmp_path / "model")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter").write_text("dear")
    with pytest.raises((ShopguideError, OSError)):
        train_candidates(spec, training_set, mine)
    assert (mine / "letter").read_text() == "dear"


def test_those_trained_one_by_one_are_the_same_and_so_is_the_choice(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    spec = with_training(planted_spec, candidates={"seeds": [0, 1, 2]}, max_steps=3)
    _, together = train_candidates(spec, training_set, tmp_path / "together")
    folders = [tmp_path / candidate.name for candidate in candidate_specs(spec)]
    for folder in folders:
        train_candidate(spec, training_set, folder, folder.name)
    found = choose_candidate(folders, tmp_path / "chosen")
    assert found == together
    assert found.metrics()["candidates"] == 3
    chosen, kept = (load_bundle(tmp_path / name) for name in ("chosen", "together"))
    assert chosen.manifest.checksums == kept.manifest.checksums
    assert json.loads((tmp_path / "chosen" / "training.json").read_text())["candidates"] == 3


def test_a_candidate_that_the_spec_does_not_ask_for_is_refused(planted_spec: Spec) -> None:
    with pytest.raises(ShopguideError, match=r"Name one of mmoe-weighted_sum-0$") as caught:
        candidate_of(planted_spec, "mmoe-upgrad-0")
    assert "candidate mmoe-upgrad-0" in str(caught.value)
