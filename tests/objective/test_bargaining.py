"""Bargaining problems with closed forms: straight and circular frontiers, sampled finely."""

import numpy as np
import pytest

from shopguide.objective import choose
from shopguide.spec.objective import Goal, Objective

STEP = 0.0005
LINE = np.column_stack([np.arange(0, 1 + STEP / 2, STEP), np.arange(0, 1 + STEP / 2, STEP)[::-1]])
"""F_1 + F_2 = 1."""

_ANGLE = np.arange(0, np.pi / 2 + STEP / 2, STEP)
CIRCLE = np.column_stack([np.sin(_ANGLE), np.cos(_ANGLE)])
"""F_1² + F_2² = 1."""

ONES = np.ones(2)


def _taken(solver: str, front: np.ndarray, weight: float, disagreement: np.ndarray) -> np.ndarray:
    goals = {"a": Goal(task="a", weight=weight), "b": Goal(task="b", weight=1 - weight)}
    choice = choose(front, Objective(goals=goals, solver=solver), ONES, disagreement)
    assert choice.fallback is None
    return front[choice.index]


@pytest.mark.parametrize("weight", [0.2, 0.5, 0.7])
@pytest.mark.parametrize("d", [(0.0, 0.0), (0.1, 0.3)])
def test_nash_on_a_line_shares_the_surplus_by_the_weights(
    weight: float, d: tuple[float, float]
) -> None:
    # ω log(F_1 − d_1) + (1 − ω) log(1 − F_1 − d_2) peaks at F_1 = d_1 + ω (1 − d_1 − d_2)
    expected = d[0] + weight * (1 - sum(d))
    found = _taken("nash", LINE, weight, np.array(d))
    assert found[0] == pytest.approx(expected, abs=STEP / 2 + 1e-12)


@pytest.mark.parametrize("weight", [0.2, 0.5, 0.7])
def test_nash_on_a_quarter_circle(weight: float) -> None:
    # with F = (sin t, cos t): ω / tan t = (1 − ω) tan t, so F_1² = sin² t = ω
    found = _taken("nash", CIRCLE, weight, np.zeros(2))
    assert found[0] == pytest.approx(np.sqrt(weight), abs=STEP)


@pytest.mark.parametrize("weight", [0.2, 0.5, 0.7])
def test_kalai_smorodinsky_on_a_line(weight: float) -> None:
    # d = (0, 0.2): ideal gains 0.8 and 0.8, so gains are as ω to 1 − ω and sum to 0.8
    found = _taken("kalai_smorodinsky", LINE, weight, np.array([0.0, 0.2]))
    assert found[0] == pytest.approx(0.8 * weight, abs=STEP)


def test_kalai_smorodinsky_and_nash_differ_where_one_goal_can_gain_more() -> None:
    # above d = (0, ½) the circle gives b = (√¾, 1); the point at the share s of both gains lies on
    # it where ¾ s² + (½ + ½ s)² = 1, so s = (√13 − 1) / 4
    share = (np.sqrt(13) - 1) / 4
    found = _taken("kalai_smorodinsky", CIRCLE, 0.5, np.array([0.0, 0.5]))
    assert found == pytest.approx([np.sqrt(0.75) * share, 0.5 + 0.5 * share], abs=2 * STEP)
    other = _taken("nash", CIRCLE, 0.5, np.array([0.0, 0.5]))
    assert abs(found[0] - other[0]) > 10 * STEP


@pytest.mark.parametrize("weight", [0.25, 0.5, 0.8])
@pytest.mark.parametrize("d", [(0.0, 0.0), (0.3, 0.1)])
def test_egalitarian_gains_are_as_the_weights(weight: float, d: tuple[float, float]) -> None:
    found = _taken("egalitarian", CIRCLE, weight, np.array(d))
    gains = found - d
    # a step along the circle moves each gain by STEP at most
    assert gains[0] * (1 - weight) == pytest.approx(gains[1] * weight, abs=STEP)


def test_symmetric_problems_have_the_symmetric_answer() -> None:
    for solver in ("nash", "kalai_smorodinsky", "egalitarian", "chebyshev", "pareto"):
        found = _taken(solver, CIRCLE, 0.5, np.zeros(2))
        assert found == pytest.approx([np.sqrt(0.5)] * 2, abs=STEP), solver


def test_without_a_champion_the_worst_of_the_front_is_the_disagreement() -> None:
    goals = {"a": Goal(task="a", weight=0.5), "b": Goal(task="b", weight=0.5)}
    part = CIRCLE[(CIRCLE[:, 0] > 0.6) & (CIRCLE[:, 1] > 0.1)]
    for solver in ("nash", "kalai_smorodinsky", "egalitarian"):
        objective = Objective(goals=goals, solver=solver)
        one = choose(part, objective, ONES, None)
        assert one == choose(part, objective, ONES, part.min(axis=0))


@pytest.mark.parametrize(
    ("solver", "why"),
    [
        ("nash", "no λ gains in every goal over the disagreement point"),
        ("kalai_smorodinsky", "every λ loses a goal against the disagreement point"),
        ("egalitarian", "every λ loses a goal against the disagreement point"),
    ],
)
def test_a_champion_out_of_reach_is_said_and_the_smallest_loss_chosen(
    solver: str, why: str
) -> None:
    champion = np.array([0.9, 0.9])
    goals = {"a": Goal(task="a", weight=0.7), "b": Goal(task="b", weight=0.3)}
    choice = choose(CIRCLE, Objective(goals=goals, solver=solver), champion, champion)
    assert choice.fallback is not None
    assert choice.fallback.startswith(why)
    assert CIRCLE[choice.index] == pytest.approx([np.sqrt(0.5)] * 2, abs=STEP)


def test_the_champion_itself_is_kept_where_nothing_is_better() -> None:
    front = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])
    goals = {"a": Goal(task="a", weight=0.5), "b": Goal(task="b", weight=0.5)}
    for solver in ("nash", "kalai_smorodinsky", "egalitarian", "epsilon"):
        objective = Objective(goals=goals, solver=solver, floors={"b": 1.0})
        assert choose(front, objective, front[1], front[1]).index == 1, solver
