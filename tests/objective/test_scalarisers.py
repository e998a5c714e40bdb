"""Weighted sum, Chebyshev, ε-constraint and the knee on fronts whose best point is known."""

import numpy as np
import pytest

from shopguide.objective import choose
from shopguide.spec.objective import Goal, Objective

STEP = 0.0005
_X = np.arange(0, 1 + STEP / 2, STEP)
PARABOLA = np.column_stack([_X, 1 - _X**2])
"""Convex: F_2 = 1 − F_1²."""

HOLLOW = np.column_stack([_X, (1 - np.sqrt(_X)) ** 2])
"""Bent inwards: √F_1 + √F_2 = 1."""

ONES = np.ones(2)


def _objective(weight: float, **terms: object) -> Objective:
    goals = {"a": Goal(task="a", weight=weight), "b": Goal(task="b", weight=1 - weight)}
    return Objective.model_validate({"goals": goals, **terms})


@pytest.mark.parametrize("weight", [0.2, 0.4, 0.6])
def test_the_weighted_sum_stops_where_the_front_has_the_weights_slope(weight: float) -> None:
    # ω F_1 + (1 − ω)(1 − F_1²) peaks at F_1 = ω / (2 (1 − ω))
    choice = choose(PARABOLA, _objective(weight), ONES, None)
    assert PARABOLA[choice.index, 0] == pytest.approx(weight / (2 * (1 - weight)), abs=STEP)


def test_losing_a_goal_of_the_champion_has_to_pay_tenfold() -> None:
    champion = np.array([0.2, 0.96])
    free = choose(PARABOLA, _objective(0.6, loss_penalty=0), champion, champion)
    careful = choose(PARABOLA, _objective(0.6), champion, champion)
    # relative to the champion: .6 · 5 F_1 + .4 · (1 − F_1²) / .96, maximal at the end, F_1 = 1
    assert PARABOLA[free.index, 0] == pytest.approx(1.0)
    # a loss costs 10 (1 − F_2 / .96): the slope 3 − .83 F_1 − 20.8 F_1 is 0 at F_1 = .138 < .2
    assert PARABOLA[careful.index] == pytest.approx(champion, abs=STEP)


def test_a_penalty_is_nothing_without_a_champion() -> None:
    one = choose(PARABOLA, _objective(0.6), ONES, None)
    assert one == choose(PARABOLA, _objective(0.6, loss_penalty=0), ONES, None)


@pytest.mark.parametrize("weight", [0.3, 0.5, 0.8])
def test_chebyshev_equals_the_weighted_regrets(weight: float) -> None:
    # ideal (1, 1), range 1: ω (1 − F_1) = (1 − ω) F_1² at the best point
    point = PARABOLA[choose(PARABOLA, _objective(weight, solver="chebyshev"), ONES, None).index]
    # a step moves the left side by ω STEP, the right one by (1 − ω) 2 STEP; ρ = 1/1000 a bit more
    assert weight * (1 - point[0]) == pytest.approx((1 - weight) * point[0] ** 2, abs=2 * STEP)


def test_chebyshev_reaches_what_a_weighted_sum_never_can() -> None:
    middle = HOLLOW[choose(HOLLOW, _objective(0.5, solver="chebyshev"), ONES, None).index]
    assert middle == pytest.approx([0.25, 0.25], abs=STEP)
    end = HOLLOW[choose(HOLLOW, _objective(0.5), ONES, None).index]
    assert end.max() == pytest.approx(1.0)


@pytest.mark.parametrize("floor", [0.25, 0.5, 0.9])
def test_epsilon_takes_the_most_above_the_floor(floor: float) -> None:
    objective = _objective(0.6, solver="epsilon", maximise="a", floors={"b": floor})
    choice = choose(PARABOLA, objective, ONES, None)
    assert choice.fallback is None
    assert PARABOLA[choice.index, 0] == pytest.approx(np.sqrt(1 - floor), abs=STEP)
    assert PARABOLA[choice.index, 1] >= floor


def test_epsilon_maximises_the_heaviest_goal_and_lets_no_other_fall() -> None:
    reference = np.array([0.5, 0.75])
    choice = choose(PARABOLA, _objective(0.6, solver="epsilon", floors={"b": 1.0}), reference, None)
    assert PARABOLA[choice.index] == pytest.approx(reference, abs=STEP)


def test_floors_out_of_reach_are_said_and_missed_evenly() -> None:
    objective = _objective(0.6, solver="epsilon", maximise="a", floors={"a": 1.0, "b": 1.0})
    choice = choose(PARABOLA, objective, ONES, None)
    # the smaller of F_1 and 1 − F_1² is largest where they are equal: F_1 = (√5 − 1) / 2
    golden = (np.sqrt(5) - 1) / 2
    assert PARABOLA[choice.index] == pytest.approx([golden, golden], abs=STEP)
    assert choice.fallback == (
        "no λ keeps every floor; in the one that misses them by least "
        "a reaches 0.618 of the reference, and objective.floors.a is 1; "
        "b reaches 0.6181 of the reference, and objective.floors.b is 1"
    )


def test_the_knee_is_where_the_front_bulges_most() -> None:
    # farthest from the line through (0, 1) and (1, 0): F_1 − F_1² is largest at 1/2
    point = PARABOLA[choose(PARABOLA, _objective(0.9, solver="pareto"), ONES, None).index]
    assert point == pytest.approx([0.5, 0.75], abs=STEP)


@pytest.mark.parametrize(
    ("terms", "what"),
    [
        ({"maximise": "c"}, "maximise: no goal 'c'; goals are a, b"),
        ({"floors": {"c": 1.0}}, "floors.c: no such goal; goals are a, b"),
        ({"floors": {"a": 0.0}}, "floors.a: 0, must be above 0"),
        ({"importance": {"clip": 10}}, "clip is set, but propensity is ignored"),
        ({"solver": "hope"}, "weighted_sum"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        _objective(0.5, **terms)


@pytest.mark.parametrize(
    ("weights", "what"),
    [((0.5, 0.4), "sum to 0.9, must be 1"), ((1.2, -0.2), "less than or equal to 1")],
)
def test_weights_are_shares(weights: tuple[float, float], what: str) -> None:
    goals = {n: {"task": n, "weight": w} for n, w in zip("ab", weights, strict=True)}
    with pytest.raises(ValueError, match=what):
        Objective.model_validate({"goals": goals})


def _of_three(**terms: object) -> Objective:
    goals = {n: Goal(task=n, weight=w) for n, w in zip("abc", (0.5, 0.25, 0.25), strict=True)}
    return Objective.model_validate({"goals": goals, **terms})


def test_between_equal_largest_regrets_the_others_decide_for_chebyshev() -> None:
    corners = np.diag([1.0, 1.0, 1.0])
    # weighted regrets (.2, .05, .125) and (.2, .125, .025): the second sums to less
    inside = np.array([[0.6, 0.8, 0.5], [0.6, 0.5, 0.9]])
    choice = choose(
        np.concatenate([corners, inside]), _of_three(solver="chebyshev"), np.ones(3), None
    )
    assert choice.index == 4


def test_between_equals_in_the_goal_that_is_maximised_the_weights_decide() -> None:
    points = np.array([[1.0, 2.0, 1.5], [1.0, 1.5, 3.0], [0.5, 4.0, 4.0]])
    assert choose(points, _of_three(solver="epsilon", maximise="a"), np.ones(3), None).index == 1
