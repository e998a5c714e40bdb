"""Every criterion by itself: what stands against a promotion, and what does not."""

from dataclasses import replace

import pytest

from shopguide.gate import guards
from shopguide.gate.criteria import against_champion, first_champion
from shopguide.gate.decision import (
    BaselineChange,
    Counts,
    GoalChange,
    Guard,
    ObjectiveChange,
    Period,
    SliceChange,
)
from shopguide.gate.reasons import NO, NO_TRUST, SENTENCES, Reason, verdict_of
from shopguide.spec.gate import Floor, Gate

GAIN = ObjectiveChange(0.03, 0.01, 0.05, 0.0, passes=True)
GOAL = GoalChange("click rate", 1.0, 1.0, 1.03, 0.03, 0.01, 0.05, 0.02, passes=True)
SLICE = SliceChange("age", "45", "ctr", 300, 0.01, -0.01, 0.03, 0.02, 0.01, 0.02, passes=True)
GUARD = Guard("min_users", 300, 200, "at_least", passes=True)
BASELINE = BaselineChange("popularity", 0.03, 0.01, 0.05, 0.0, passes=True, goals={})
FLOORS = Gate(min_gain=0.0, floors={"click": Floor(auc=0.6)}, baseline="popularity")
TITLES = {"click": "clicks"}

FAILING = {
    "gain_not_shown": {"objective": replace(GAIN, lower=0.0, passes=False)},
    "no_min_gain": {"objective": replace(GAIN, min_gain=None, passes=False)},
    "goal_may_lose:ctr": {"goals": {"ctr": replace(GOAL, lower=-0.03, passes=False)}},
    "slice_may_lose:ctr in age=45": {"slices": (replace(SLICE, p_holm=0.2, passes=False),)},
    "undefined_goal:ctr": {
        "objective": None,
        "goals": {"ctr": replace(GOAL, change=None, lower=None, upper=None, passes=None)},
    },
    "too_few_users": {"guarded": (replace(GUARD, value=100, passes=False),)},
}


def judged(*, identical: bool = False, **changes: object) -> list[Reason]:
    given = {"objective": GAIN, "goals": {"ctr": GOAL}, "slices": (SLICE,), "guarded": (GUARD,)}
    given |= changes
    return against_champion(
        given["objective"],
        given["goals"],
        given["slices"],
        given["guarded"],
        TITLES,
        identical=identical,
    )


def test_nothing_stands_against_a_challenger_that_meets_all() -> None:
    assert judged() == []
    assert verdict_of([]) == "promote"


@pytest.mark.parametrize("text", FAILING)
def test_one_failing_criterion_is_enough(text: str) -> None:
    reasons = judged(**FAILING[text])
    assert [reason.text for reason in reasons] == [text]
    assert verdict_of(reasons) == ("invalid" if reasons[0].code in NO_TRUST else "refuse")


def test_reasons_of_distrust_come_first() -> None:
    reasons = judged(
        objective=replace(GAIN, passes=False),
        guarded=(
            Guard("latency_p99_ms", 80.0, 50.0, "at_most", passes=False),
            replace(GUARD, passes=False),
        ),
    )
    assert [reason.code for reason in reasons] == ["too_few_users", "latency", "gain_not_shown"]
    assert verdict_of(reasons) == "invalid"


def test_a_slice_too_small_to_be_judged_stands_against_nothing() -> None:
    small = replace(SLICE, users=3, p=None, p_holm=None, passes=None)
    assert judged(slices=(small,)) == []


def test_the_champion_itself_is_refused_for_that_alone() -> None:
    reasons = judged(identical=True, objective=replace(GAIN, passes=False))
    assert [reason.text for reason in reasons] == ["identical"]


@pytest.mark.parametrize(
    ("gate", "baseline", "expected"),
    [
        (FLOORS, BASELINE, []),
        (FLOORS.model_copy(update={"min_gain": None}), BASELINE, ["no_min_gain"]),
        (FLOORS.model_copy(update={"floors": {}}), BASELINE, ["no_floors"]),
        (FLOORS.model_copy(update={"baseline": None}), None, ["no_baseline"]),
        (FLOORS, replace(BASELINE, lower=-0.01, passes=False), ["baseline_not_beaten"]),
        (FLOORS, None, ["undefined_goal"]),
        (Gate(), None, ["no_min_gain", "no_floors", "no_baseline"]),
    ],
)
def test_a_first_champion(gate: Gate, baseline: BaselineChange | None, expected: list[str]) -> None:
    reasons = first_champion(baseline, gate, (GUARD,), TITLES, {"sales": "order value"})
    assert [reason.code for reason in reasons] == expected


def test_a_goal_that_is_zero_for_the_baseline_is_named_with_what_to_do() -> None:
    (reason,) = first_champion(None, FLOORS, (GUARD,), TITLES, {"sales": "order value"})
    assert reason.text == "undefined_goal:sales"
    assert reason.sentence.startswith("order value is zero")
    assert "take a longer test period" in reason.sentence


def test_the_test_period_may_begin_the_moment_learning_ends() -> None:
    learnt = Period("2024-01-01T00:00:00Z", "2024-03-01T00:00:00Z")
    test = Period("2024-03-01T00:00:00Z", "2024-03-31T00:00:00Z")
    assert guards.period("champion", learnt, test).passes
    early = Period("2024-02-29T23:59:59Z", "2024-03-31T00:00:00Z")
    assert not guards.period("champion", learnt, early).passes


def test_sizes_are_met_at_their_limit() -> None:
    counts = Counts(users=200, requests=300, impressions=900, events={"click": 99})
    found = list(guards.sizes(counts, ["click"], [], Gate(min_users=200, min_events=100)))
    assert [(guard.name, guard.passes) for guard in found] == [
        ("min_users", True),
        ("min_events:click", False),
    ]
    assert guards.reason_of(found[1], TITLES).sentence == (
        "the test period has too few outcomes of clicks (99 where at least 100 is asked for)"
    )


def test_every_code_has_one_verdict_and_one_sentence() -> None:
    assert not set(NO) & set(NO_TRUST)
    for code, words in SENTENCES.items():
        subject = "x" if "{}" in words else None
        assert "{" not in Reason(code, subject).sentence
        assert not words.endswith(".")
