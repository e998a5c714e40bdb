"""A document of a bundle whose numbers or names cannot be is refused by its field."""

import json
from pathlib import Path
from typing import Any

import pytest

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from tests.bundle.conftest import PREPROCESSING
from tests.bundles import rewrite

COLOUR = {"name": "colour", "vocabulary": ["red", "blue"]}
PRICE, LAST = json.loads(PREPROCESSING.model_dump_json())["numeric"]
TAGS = {"name": "tags", "kind": "bag", "length": 3, "vocabulary": ["a"]}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"categorical": [{"name": "colour", "buckets": 0}]}, r"buckets: .*greater than or equal"),
        ({"categorical": [{"name": "colour", "buckets": 10**30}]}, r"buckets: "),
        ({"categorical": [COLOUR | {"buckets": 4}]}, "has a vocabulary and buckets"),
        ({"categorical": [COLOUR, COLOUR]}, "colour stands 2 times"),
        ({"numeric": [PRICE | {"name": "colour"}, LAST]}, "colour stands 2 times"),
        ({"numeric": [PRICE | {"scale": 0}, LAST]}, r"numeric\.0\.scale: .*greater than 0"),
        ({"numeric": [PRICE | {"centre": float("nan")}, LAST]}, r"centre: .*finite number"),
        ({"numeric": [PRICE | {"knots": [1, 2], "ranks": [0]}, LAST]}, "2 points and ranks 1"),
        ({"numeric": [PRICE | {"knots": [2, 1], "ranks": [0, 1]}, LAST]}, "do not increase"),
        ({"numeric": [PRICE | {"knots": [1, 2], "ranks": [1, 0]}, LAST]}, "do not increase"),
        ({"numeric": [PRICE | {"knots": [1], "ranks": [7]}, LAST]}, r"ranks\.0: .*less than"),
        ({"lists": [TAGS | {"length": 0}]}, r"length: .*greater than or equal"),
        ({"lists": [TAGS | {"length": 10**9}]}, r"length: .*less than or equal"),
        ({"lists": [TAGS | {"of": "size"}]}, "tags has the codes of size, which is no categorical"),
    ],
)
def test_preprocessing_that_cannot_be_is_refused(
    folder: Path, changes: dict[str, Any], what: str
) -> None:
    document = json.loads(PREPROCESSING.model_dump_json()) | changes
    rewrite(folder, "preprocessing.json", json.dumps(document))
    with pytest.raises(ShopguideError, match=rf"preprocessing\.json.*{what}"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("kind", "default"), [("categorical", 3.5), ("numeric", "red"), ("recency", "red")]
)
def test_a_default_of_another_kind_is_refused(
    folder: Path, kind: str, default: str | float
) -> None:
    document = json.loads((folder / "profile.json").read_text())
    document["inputs"] = {"x": {"kind": kind, "null_rate": 0, "default": default}}
    rewrite(folder, "profile.json", json.dumps(document))
    with pytest.raises(ShopguideError, match=r"profile\.json inputs\.x: .*is no value of a"):
        load_bundle(folder)
