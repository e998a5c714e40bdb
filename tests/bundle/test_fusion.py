"""`fusion.json` is read only if it is a fusion of the bundle's tasks."""

import json
from pathlib import Path
from typing import Any

import pytest

from shopguide.bundle import load_bundle, with_fusion
from shopguide.errors import ShopguideError
from shopguide.fusion import Fusion
from tests.bundles import rewrite

SOUND = {
    "form": "additive",
    "weights": {"click": 0.25, "buy": 0.75},
    "means": {"click": 0.5, "buy": 0.1},
}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"form": "both"}, " form: .*'additive' or 'multiplicative'"),
        ({"weights": {"click": 1.25, "buy": -0.25}}, r" weights\.click: .*less than or equal to 1"),
        ({"weights": {"click": 1, "buy": -0.25}}, r" weights\.buy: .*greater than or equal to 0"),
        ({"weights": {"click": 0.0, "buy": 0.0}}, "the weights sum to 0, expected 1"),
        ({"weights": {"click": 0.5, "buy": 0.4}}, "the weights sum to 0.9, expected 1"),
        ({"weights": {}}, " weights: .*at least 1 item"),
        ({"weights": {"click": float("nan"), "buy": 1}}, r" weights\.click: .*finite number"),
        ({"weights": {"click": "0.25", "buy": 0.75}}, r" weights\.click: .*valid number"),
        ({"weights": {"click": None, "buy": 0.75}}, r" weights\.click: .*valid number"),
        ({"weights": [0.25, 0.75]}, " weights: .*should be an object"),
        ({"means": {"click": 0.5, "buy": 0.0}}, r" means\.buy: .*greater than"),
        ({"means": {"click": 0.5, "buy": -1.0}}, r" means\.buy: .*greater than"),
        ({"means": {"click": 0.5, "buy": float("inf")}}, r" means\.buy: .*finite number"),
        ({"means": {"click": 0.5, "buy": 5e-324}}, r" means\.buy: .*greater than"),
        ({"means": {"click": 0.5}}, "means has none of buy, which weights has"),
        (
            {"weights": {"view": 1.0}, "means": {"view": 1.0}},
            r" weights\.view: there is no such task; the bundle predicts click, buy",
        ),
        ({"means": {"click": 1.0, "buy": 1.0, "x": 1.0}}, r" means\.x: there is no such task"),
        ({"goals": {"ctr": 1.0}}, " goals: .*extra inputs are not permitted"),
    ],
)
def test_a_fusion_that_is_none_is_refused_by_its_field(
    folder: Path, changes: dict[str, Any], what: str
) -> None:
    rewrite(folder, "fusion.json", json.dumps(SOUND | changes))
    with pytest.raises(ShopguideError, match=rf"fusion\.json.*{what}") as caught:
        load_bundle(folder)
    assert caught.value.fix == "Run `shopguide solve` on the bundle again"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "weights", "[]", "null", '{"form": "additive"}'])
def test_a_file_that_is_no_fusion_is_refused(folder: Path, text: str) -> None:
    rewrite(folder, "fusion.json", text)
    with pytest.raises(ShopguideError, match=r"fusion\.json.*not a fusion of this version"):
        load_bundle(folder)


def test_a_sound_fusion_is_what_was_written(folder: Path, tmp_path: Path) -> None:
    fusion = Fusion("multiplicative", {"click": 1.0}, {"click": 0.5, "buy": 0.1})
    with_fusion(folder, tmp_path / "solved", fusion)
    assert load_bundle(tmp_path / "solved").fusion == fusion
    rewrite(folder, "fusion.json", json.dumps(SOUND | {"weights": {"click": 1}}))  # an integer
    assert load_bundle(folder).fusion is not None
