"""Calibrators: monotone, a funnel stays one, and a broken file is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopguide.bundle import (
    Beta,
    Calibrators,
    Contents,
    Isotonic,
    Platt,
    Probability,
    Scale,
    TaskEntry,
    Temperature,
    load_bundle,
    write_bundle,
)
from shopguide.errors import ShopguideError
from tests.bundles import rewrite

P = np.linspace(0, 1, 101)
FUNNEL = [
    TaskEntry(name="click", kind="binary"),
    TaskEntry(name="buy", kind="binary", after="click"),
    TaskEntry(name="value", kind="amount", after="buy"),
]


@pytest.mark.parametrize(
    "calibrator",
    [
        Platt(slope=0.5, intercept=-1),
        Isotonic(x=[0, 0.2, 1], y=[0, 0.1, 1]),
        Beta(a=0.3, b=2, c=-1),
        Beta(a=0, b=1, c=0),
        Temperature(temperature=3),
    ],
)
def test_calibrating_keeps_the_order(calibrator: Probability) -> None:
    assert (np.diff(calibrator.apply(P[1:-1])) > 0).all()
    assert ((calibrator.apply(P) >= 0) & (calibrator.apply(P) <= 1)).all()


def test_platt_with_slope_1_and_no_intercept_changes_nothing() -> None:
    found = Platt(slope=1, intercept=0).apply(P)
    np.testing.assert_allclose(found, P, atol=2e-7)  # the clip at 1e-7


def test_beta_and_temperature_hold_platt_as_a_case() -> None:
    platt = Platt(slope=0.4, intercept=0.7).apply(P)
    np.testing.assert_allclose(Beta(a=0.4, b=0.4, c=0.7).apply(P), platt, atol=1e-12)
    cooled = Platt(slope=0.4, intercept=0).apply(P)
    np.testing.assert_allclose(Temperature(temperature=2.5).apply(P), cooled, atol=1e-12)


@pytest.mark.parametrize(
    "calibrator",
    [
        Platt(slope=1e6, intercept=-1e6),
        Beta(a=1e6, b=1e6, c=1e6),
        Temperature(temperature=1e-6),
        Scale(factor=1e12),
    ],
)
def test_the_widest_numbers_give_finite_predictions(calibrator: Probability | Scale) -> None:
    assert np.isfinite(calibrator.apply(P)).all()


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        ({"kind": "isotonic", "x": [0, 0.5, 0.5, 1], "y": [0, 0.1, 0.2, 1]}, "x does not increase"),
        ({"kind": "isotonic", "x": [0, 0.5, 1], "y": [0, 0.7, 0.6]}, "y falls"),
        ({"kind": "isotonic", "x": [0, 0.5, 1], "y": [0, 1]}, "x has 3 points and y 2"),
        ({"kind": "isotonic", "x": [0], "y": [0]}, "at least 2 items"),
        ({"kind": "isotonic", "x": [0, 1], "y": [0, float("nan")]}, "finite number"),
        ({"kind": "isotonic", "x": [0, 2], "y": [0, 1]}, "less than or equal to 1"),
        ({"kind": "platt", "slope": -1, "intercept": 0}, "greater than 0"),
        ({"kind": "platt", "slope": float("inf"), "intercept": 0}, "finite number"),
        ({"kind": "platt", "slope": 1}, "field required"),
        ({"kind": "beta", "a": 0, "b": 0, "c": 1}, "a and b are both 0"),
        ({"kind": "beta", "a": -1, "b": 1, "c": 1}, "greater than or equal to 0"),
        ({"kind": "temperature", "temperature": 0}, "greater than or equal to"),
        ({"kind": "scale", "factor": 2}, "scale calibrates a task of kind amount"),
        ({"kind": "magic"}, "does not match any of the expected tags"),
        ("no calibrator", "should be an object"),
    ],
)
def test_a_broken_file_with_right_checksums_is_refused(
    contents: Contents, tmp_path: Path, broken: object, what: str
) -> None:
    write_bundle(tmp_path / "bundle", contents)
    rewrite(tmp_path / "bundle", "calibrators.json", json.dumps({"tasks": {"click": broken}}))
    with pytest.raises(ShopguideError, match=what) as raised:
        load_bundle(tmp_path / "bundle")
    assert "calibrators.json tasks.click" in raised.value.where
    assert raised.value.fix


def test_a_calibrator_of_no_task_is_refused(contents: Contents, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", contents)
    platt = {"kind": "platt", "slope": 1, "intercept": 0}
    rewrite(tmp_path / "bundle", "calibrators.json", json.dumps({"tasks": {"view": platt}}))
    with pytest.raises(ShopguideError, match=r"tasks\.view: there is no such task"):
        load_bundle(tmp_path / "bundle")


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
