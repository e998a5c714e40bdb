"""Calibrators: monotone, and a funnel stays one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopguide.bundle import Calibrators, Isotonic, Platt, Scale, TaskEntry

P = np.linspace(0, 1, 101)
FUNNEL = [
    TaskEntry(name="click", kind="binary"),
    TaskEntry(name="buy", kind="binary", after="click"),
    TaskEntry(name="value", kind="amount", after="buy"),
]


@pytest.mark.parametrize(
    "calibrator", [Platt(slope=0.5, intercept=-1), Isotonic(x=[0, 0.2, 1], y=[0, 0.1, 1])]
)
def test_calibrating_keeps_the_order(calibrator: Platt | Isotonic) -> None:
    assert (np.diff(calibrator.apply(P[1:-1])) > 0).all()
    assert ((calibrator.apply(P) >= 0) & (calibrator.apply(P) <= 1)).all()


def test_platt_with_slope_1_and_no_intercept_changes_nothing() -> None:
    found = Platt(slope=1, intercept=0).apply(P)
    np.testing.assert_allclose(found, P, atol=2e-7)  # the clip at 1e-7


def test_a_task_without_a_calibrator_is_left_alone() -> None:
    predictions = {"click": P, "buy": P / 2, "value": 3 * P}
    found = Calibrators(tasks={"value": Scale(factor=2)}).apply(predictions, FUNNEL)
    np.testing.assert_array_equal(found["click"], P)
    np.testing.assert_array_equal(found["buy"], P / 2)
    np.testing.assert_array_equal(found["value"], 6 * P)


@given(st.floats(-5, 5), st.floats(0.1, 5))
def test_a_stage_never_exceeds_its_parent(intercept: float, slope: float) -> None:
    calibrators = Calibrators(tasks={"buy": Platt(slope=slope, intercept=intercept)})
    found = calibrators.apply({"click": P, "buy": P / 2, "value": 3 * P}, FUNNEL)
    assert (found["buy"] <= found["click"]).all()
