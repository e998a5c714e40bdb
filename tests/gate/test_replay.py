"""A decision can be reached again from its own file, and from nothing but its own inputs."""

import copy
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

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


def resealed(former: Path, out: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    """Edit a decision and seal it again, as somebody would who reads the code."""
    content = json.loads((former / "decision.json").read_text())
    edit(content)
    parts = copy.deepcopy({k: v for k, v in content.items() if k != "checksum"})
    for name in ("fingerprint", "because"):
        del parts[name]
    for guard in parts["guards"]:
        if guard["name"] == "latency_p99_ms":
            del guard["value"]
    for candidate in parts["candidates"]:
        del candidate["latency_p99_ms"], candidate["because"]
    content["fingerprint"] = digest(parts)
    content["checksum"] = digest({k: v for k, v in content.items() if k != "checksum"})
    (out / "decision.json").write_text(json.dumps(content))
    return out / "decision.json"


def digest(content: object) -> str:
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
    ).hexdigest()


def latency(content: dict[str, Any], value: object) -> None:
    content["candidates"][0]["latency_p99_ms"] = value
    for guard in content["guards"]:
        if guard["name"] == "latency_p99_ms":
            guard["value"] = value


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "nothing": (lambda _: None, ""),
    "verdict": (lambda c: c.update(verdict="refuse"), "verdict: refuse does not follow"),
    "reasons": (lambda c: c.update(reasons=["identical"]), "reasons: do not follow"),
    "because": (lambda c: c.update(because=["of me"]), "because: does not follow"),
    "latency below zero": (lambda c: latency(c, -1.0), "latency_p99_ms: is -1, must be above 0"),
    "latency above its limit": (lambda c: latency(c, 1e5), "latency_p99_ms does not hold"),
    "gain": (lambda c: c["objective"].update(lower=-0.5), r"objective\.passes: does not follow"),
    "goal": (lambda c: c["goals"]["ctr"].update(passes=False), r"goals\.ctr\.passes"),
    "period": (
        lambda c: c["periods"]["champion"].update(end="2024-03-09T00:00:00Z"),
        "is not about the periods",
    ),
    "guard": (lambda c: c["guards"][0].update(limit="other"), "tasks:champion does not hold"),
    "seed": (lambda c: c.update(seed=-1), "seed: is -1"),
    "confidence": (lambda c: c.update(confidence=1.5), "confidence: is 1.5"),
    "counts": (lambda c: c["counts"].update(users=-4), "counts: -4 users"),
    "tried": (lambda c: c.update(tried=0), "tried: is 0"),
    "trained": (lambda c: c["candidates"][0]["model"].update(chosen_from=0), "chosen_from: is 0"),
    "terms": (lambda c: c["terms"].update(gate={"confidence": 3}), r"terms\.gate: is no section"),
    "chosen": (lambda c: c["candidates"][0].update(chosen=False), "the best one is not the one"),
    "not a number": (lambda c: c["objective"].update(estimate=math.nan), "is not JSON"),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_cannot_follow_from_its_own_numbers_is_refused_though_it_was_sealed_again(
    former: Path, tmp_path: Path, name: str
) -> None:
    edit, what = EDITS[name]
    path = resealed(former, tmp_path, edit)
    if not what:
        assert read_decision(path).promote
        return
    with pytest.raises(ShopguideError, match=what) as caught:
        read_decision(path)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c["objective"].update(estimate=0.5),
        lambda c: c["goals"]["sales"].update(challenger=99.0),
        lambda c: c.update(title="Another shop"),
        lambda c: c["terms"]["gate"]["margins"].update(ctr=0.9),
        lambda c: c["counts"]["events"].update(click=7),
    ],
)
def test_numbers_that_only_the_data_can_say_are_found_by_the_replay(
    shop: Shop, former: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], object]
) -> None:
    def both(content: dict[str, Any]) -> None:
        edit(content)
        for name in ("objective", "goals"):
            content["candidates"][0][name] = content[name]

    decision = read_decision(resealed(former, tmp_path, both))
    held = shop.model("held", VAGUE, seed=4)
    if decision.title == "Another shop":  # a title is what the owner says it is
        replay(decision, shop.model("good"), shop.test_set, tmp_path / "out", champion=held)
        return
    with pytest.raises(ShopguideError, match="differs from the decision to repeat"):
        replay(decision, shop.model("good"), shop.test_set, tmp_path / "out", champion=held)
    assert not (tmp_path / "out").exists()


def test_terms_of_no_spec_are_one_line_and_nothing_is_written(
    shop: Shop, former: Path, tmp_path: Path
) -> None:
    decision = read_decision(former / "decision.json")
    objective = json.loads(json.dumps(decision.terms["objective"])) | {"fusion": "magic"}
    other = replace(decision, terms=decision.terms | {"objective": objective})
    held = shop.model("held", VAGUE, seed=4)
    with pytest.raises(ShopguideError, match=r"terms: objective\.fusion: is 'magic'") as caught:
        replay(other, shop.model("good"), shop.test_set, tmp_path / "out", champion=held)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
