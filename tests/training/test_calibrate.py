"""Calibrators recover a planted distortion, and are dropped where they do not help."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from shopguide.bundle import TaskEntry
from shopguide.training.calibrate import (
    fit_calibrators,
    fit_isotonic,
    fit_platt,
    fit_scale,
    log_loss,
)
from shopguide.training.hashing import hash_share

ROWS = 40_000
RNG = np.random.default_rng(0)
TRUE_P = RNG.beta(1, 6, ROWS)
LABEL = (RNG.random(ROWS) < TRUE_P).astype(float)
ONES = np.ones(ROWS)
TASKS = [TaskEntry(name="click", kind="binary"), TaskEntry(name="value", kind="amount")]


def distorted(slope: float, intercept: float) -> np.ndarray:
    logit = np.log(TRUE_P) - np.log1p(-TRUE_P)
    return 1 / (1 + np.exp(-(logit - intercept) / slope))


def table(value: np.ndarray) -> pa.Table:
    users = [f"u{i % 500}" for i in range(ROWS)]
    return pa.table({"user_id": users, "click": LABEL, "value": value, "sample_weight": ONES})


def test_platt_recovers_slope_and_intercept() -> None:
    found = fit_platt(distorted(2.0, 0.7), LABEL, ONES)
    assert found is not None
    # standard errors of a logistic regression with 40,000 rows are about .02
    assert found.slope == pytest.approx(2.0, abs=0.1)
    assert found.intercept == pytest.approx(0.7, abs=0.1)


def test_platt_refuses_to_turn_the_order_round() -> None:
    assert fit_platt(1 - TRUE_P, LABEL, ONES) is None


def test_isotonic_is_strictly_increasing_and_keeps_the_auc() -> None:
    p = distorted(1.0, 1.0)
    found = fit_isotonic(p, LABEL, ONES)
    assert (np.diff(found.x) > 0).all()
    assert (np.diff(found.y) > 0).all()
    before, after = (roc_auc_score(LABEL, v) for v in (p, found.apply(p)))
    assert after == pytest.approx(before, abs=1e-9)
    assert log_loss(found.apply(p), LABEL, ONES) < log_loss(p, LABEL, ONES) - 0.01


def test_a_scale_makes_the_total_right() -> None:
    found = fit_scale(np.full(ROWS, 2.0), LABEL, ONES)
    assert found is not None
    assert found.apply(np.full(ROWS, 2.0)).sum() == pytest.approx(LABEL.sum())
    assert fit_scale(TRUE_P, np.zeros(ROWS), ONES) is None


def test_a_distorted_task_gets_a_calibrator_that_helps() -> None:
    value = np.where(LABEL > 0, 10.0, 0.0)
    predictions = {"click": distorted(1.5, 1.0), "value": 4 * TRUE_P}
    calibrators, records = fit_calibrators(predictions, table(value), TASKS)
    assert records["click"].kept in ("platt", "isotonic")
    assert records["click"].after < records["click"].before - 0.005
    calibrated = calibrators.apply(predictions, TASKS)
    assert calibrated["click"].mean() == pytest.approx(LABEL.mean(), rel=0.01)
    assert calibrated["value"].sum() == pytest.approx(value.sum())


def test_a_calibrated_task_is_left_alone_or_hardly_moved() -> None:
    predictions = {"click": TRUE_P, "value": 10 * TRUE_P}
    calibrators, _ = fit_calibrators(predictions, table(10 * LABEL), TASKS)
    moved = calibrators.apply(predictions, TASKS)["click"] - TRUE_P
    assert np.sqrt(np.mean(moved**2)) < 0.01


def test_labels_of_one_kind_give_no_calibrator() -> None:
    rows = table(np.zeros(ROWS)).set_column(1, "click", pa.array(np.zeros(ROWS)))
    calibrators, records = fit_calibrators({"click": TRUE_P, "value": TRUE_P}, rows, TASKS)
    assert calibrators.tasks == {}
    assert {record.kept for record in records.values()} == {"none"}


def test_what_helps_only_the_users_it_was_fitted_on_is_dropped() -> None:
    rows = table(np.zeros(ROWS))
    fitted_on = hash_share(rows["user_id"], salt="calibration") < 0.5
    clicks = np.where(fitted_on, 1 - LABEL, LABEL)  # half of the users behave the other way round
    odd = rows.set_column(1, "click", pa.array(clicks))
    calibrators, records = fit_calibrators({"click": TRUE_P, "value": TRUE_P}, odd, TASKS)
    assert records["click"].after > records["click"].before
    assert calibrators.tasks == {}
