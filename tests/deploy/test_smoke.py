"""The smoke test of an image says whether its answers did without the feature store."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "ci" / "smoke.py"


@pytest.fixture
def smoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    found = importlib.util.spec_from_file_location("smoke", SCRIPT)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    (tmp_path / "bundle.json").write_text('{"version": "v1"}')
    monkeypatch.setattr(module, "BUNDLE", tmp_path)
    return module


def _answering(smoke: ModuleType, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    def ask(_method: str, _path: str, body: dict[str, list[str]]) -> tuple[int, str]:
        items = [{"item_id": item} for item in body["items"]]
        return 200, json.dumps({"items": items, "model_version": "v1", "degraded": True} | changes)

    monkeypatch.setattr(smoke, "ask", ask)


def test_a_degraded_answer_is_told_and_with_features_it_is_a_no(
    smoke: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answering(smoke, monkeypatch)
    assert smoke.ranking(features=False) == ([], True)
    wrong, degraded = smoke.ranking(features=True)
    assert degraded
    assert ["degraded" in one for one in wrong] == [True]


def test_an_answer_with_features_is_good_either_way(
    smoke: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answering(smoke, monkeypatch, degraded=False)
    for features in (False, True):
        assert smoke.ranking(features=features) == ([], False)


def test_another_version_and_lost_candidates_are_told_together(
    smoke: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answering(smoke, monkeypatch, items=[], model_version="v0")
    wrong, _ = smoke.ranking(features=False)
    assert len(wrong) == 2
