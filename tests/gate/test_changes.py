"""It is the bound that decides, not the estimate; and it must lie strictly beyond its limit."""

import numpy as np
import pytest

from shopguide.evaluation.interval import Interval, Spread
from shopguide.gate.arms import Arms, Slice
from shopguide.gate.changes import baseline_change, goal_changes, objective_change, slice_changes
from shopguide.gate.statistics import Comparison
from shopguide.spec.gate import Gate
from shopguide.spec.objective import Goal

GOALS = {"ctr": Goal(task="click", weight=1.0)}
NO_ARMS = Arms(("click",), np.zeros((1, 1)), np.zeros((1, 1)), np.ones(1))


def comparison(interval: Interval) -> Comparison:
    half = (interval.upper - interval.lower) / 2
    draws = interval.estimate + half / 1.645 * np.random.default_rng(0).normal(size=4000)
    spread = Spread.of(interval.estimate, draws, np.array([-1.0, 1.0]))
    return Comparison(np.ones(1), np.ones(1), (interval,), interval, (spread,))


@pytest.mark.parametrize(
    ("lower", "min_gain", "passes"),
    [(0.011, 0.01, True), (0.01, 0.01, False), (-0.001, 0.0, False), (0.5, None, False)],
)
def test_the_objective(lower: float, min_gain: float | None, passes: bool) -> None:
    found = objective_change(Interval(0.6, lower, 0.7), min_gain)
    assert found is not None
    assert found.passes is passes


@pytest.mark.parametrize(
    ("lower", "margin", "passes"),
    [(-0.019, 0.02, True), (-0.02, 0.02, False), (-0.03, 0.02, False), (0.0, 0.0, False)],
)
def test_a_goal(lower: float, margin: float, passes: bool) -> None:
    found = goal_changes(comparison(Interval(0.01, lower, 0.05)), GOALS, {"ctr": margin})
    assert found["ctr"].passes is passes


def test_a_goal_without_a_margin_may_not_lose_at_all() -> None:
    found = goal_changes(comparison(Interval(0.01, -1e-9, 0.05)), GOALS, {})
    assert found["ctr"].margin == 0
    assert found["ctr"].passes is False


@pytest.mark.parametrize(("lower", "passes"), [(0.001, True), (0.0, False), (-0.01, False)])
def test_the_baseline(lower: float, passes: bool) -> None:
    found = baseline_change(comparison(Interval(0.02, lower, 0.05)), "popularity", GOALS)
    assert found is not None
    assert found.passes is passes


def test_slices_are_adjusted_for_their_number() -> None:
    # one slice alone would pass with p ≈ .02; beside nine like it, Holm asks for p ≤ .005
    weak = Interval(0.0, -0.0235, 0.0235)
    gate = Gate(min_users=100, margins={"ctr": 0.03})
    for number, passes in ((1, True), (10, False)):
        parts = [Slice("age", str(i), 500, NO_ARMS) for i in range(number)]
        found = slice_changes(parts, [comparison(weak)] * number, GOALS, gate, 0.95)
        assert [row.passes for row in found] == [passes] * number


@pytest.mark.parametrize(("users", "passes"), [(100, True), (99, None)])
def test_a_slice_with_too_few_users_is_not_judged(users: int, passes: bool | None) -> None:
    strong = comparison(Interval(0.1, 0.08, 0.12))
    gate = Gate(min_users=100)
    found = slice_changes([Slice("age", "45", users, NO_ARMS)], [strong], GOALS, gate, 0.95)
    assert found[0].passes is passes


def test_a_slice_margin_stands_before_that_of_the_goal() -> None:
    gate = Gate(min_users=2, margins={"ctr": 0.01}, slice_margin=0.2)
    part = Slice("age", "45", 5, NO_ARMS)
    found = slice_changes([part], [comparison(Interval(0.0, -0.1, 0.1))], GOALS, gate, 0.95)
    assert found[0].margin == 0.2
    assert found[0].passes is True
