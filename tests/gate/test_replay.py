"""A decision can be reached again from its own file, and from nothing but its own inputs."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shopguide.errors import ShopguideError
from shopguide.gate import Decision, decide, read_decision, replay
from tests.gate.conftest import VAGUE, Shop
from tests.gate.test_decide import changed


@pytest.fixture(scope="module")
def former(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("former")
    spec = changed(shop.spec, max_latency_ms=10_000.0, confidence=0.9).model_copy(
        update={"seed": 11}
    )
    vague = shop.model("held", VAGUE, seed=4)
    decide(spec, shop.model("good"), shop.test_set, out, champion=vague, champion_version="4")
    return out


def again(shop: Shop, former: Path, out: Path, champion: str | None = "held") -> Decision:
    decision = read_decision(former / "decision.json")
    held = shop.model(champion, VAGUE, seed=len(champion)) if champion else None
    return replay(decision, shop.model("good"), shop.test_set, out, champion=held)


def test_a_replay_is_the_same_bit_for_bit(shop: Shop, former: Path, tmp_path: Path) -> None:
    again(shop, former, tmp_path)
    for name in ("decision.json", "report.md", "report.html"):
        assert (tmp_path / name).read_bytes() == (former / name).read_bytes()


def test_a_decision_without_champion_is_replayed_too(shop: Shop, tmp_path: Path) -> None:
    first = decide(shop.spec, shop.model("good"), shop.test_set, tmp_path / "a")
    assert again(shop, tmp_path / "a", tmp_path / "b", champion=None) == first


def test_another_champion_is_refused(shop: Shop, former: Path, tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match="is not the champion of the decision"):
        again(shop, former, tmp_path, champion="other")
    with pytest.raises(ShopguideError, match="is not the champion of the decision: checksum none"):
        again(shop, former, tmp_path, champion=None)


def test_another_test_set_is_refused(shop: Shop, former: Path, tmp_path: Path) -> None:
    pq.write_table(shop.table().slice(0, 1000), tmp_path / "less.parquet")
    decision = read_decision(former / "decision.json")
    with pytest.raises(ShopguideError, match="is not the test set of the decision"):
        replay(
            decision,
            shop.model("good"),
            tmp_path / "less.parquet",
            tmp_path / "out",
            champion=shop.model("held", VAGUE, seed=4),
        )


def test_an_edited_decision_is_found_out(former: Path, tmp_path: Path) -> None:
    content = json.loads((former / "decision.json").read_text())
    content["goals"]["ctr"]["lower"] += 0.01
    (tmp_path / "decision.json").write_text(json.dumps(content))
    with pytest.raises(ShopguideError, match="was changed after it was written"):
        read_decision(tmp_path / "decision.json")


def test_a_decision_that_cannot_be_reached_again_says_in_what(
    shop: Shop, former: Path, tmp_path: Path
) -> None:
    decision = read_decision(former / "decision.json")
    goals = {name: replace(goal, challenger=0.0) for name, goal in decision.goals.items()}
    other = replace(decision, goals=goals, fingerprint="0" * 64)
    vague = shop.model("held", VAGUE, seed=4)
    with pytest.raises(ShopguideError, match="differs from the decision to repeat in goals"):
        replay(other, shop.model("good"), shop.test_set, tmp_path, champion=vague)
