"""Calibrators recover a planted distortion, and are dropped where they do not help."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from shopguide.bundle import Isotonic, TaskEntry
from shopguide.training.calibrate import (
    Choice,
    fit_beta,
    fit_calibrators,
    fit_isotonic,
    fit_platt,
    fit_scale,
    fit_temperature,
    log_loss,
)
from shopguide.training.hashing import hash_share
from shopguide.training.logistic import fit_logistic

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
    # standard errors by the information matrix are .034 and .029
    assert found.slope == pytest.approx(2.0, abs=0.1)
    assert found.intercept == pytest.approx(0.7, abs=0.1)


def test_temperature_recovers_how_much_too_sure_the_model_is() -> None:
    found = fit_temperature(distorted(2.0, 0.0), LABEL, ONES)
    assert found is not None
    # its standard error by the information matrix is .018; tolerance: four of them
    assert 1 / found.temperature == pytest.approx(2.0, abs=4 * 0.018)
    assert fit_temperature(1 - distorted(1.0, 0.0), 1 - LABEL, ONES) is not None
    assert fit_temperature(1 - TRUE_P, LABEL, ONES) is None


def test_beta_recovers_its_own_parameters() -> None:
    p = RNG.beta(2, 3, 200_000)
    bent = 1 / (1 + np.exp(-(0.6 * np.log(p) - 1.7 * np.log1p(-p) - 0.4)))
    label = (RNG.random(len(p)) < bent).astype(float)
    found = fit_beta(p, label, np.ones(len(p)))
    assert found is not None
    # standard errors by the information matrix are .019, .030 and .035; tolerance: four of them
    assert found.a == pytest.approx(0.6, abs=4 * 0.019)
    assert found.b == pytest.approx(1.7, abs=4 * 0.030)
    assert found.c == pytest.approx(-0.4, abs=4 * 0.035)


def test_beta_leaves_out_the_coefficient_that_would_turn_the_order_round() -> None:
    p = RNG.beta(2, 2, 50_000)
    bent = 1 / (1 + np.exp(-(-0.5 * np.log(p) - 2.0 * np.log1p(-p))))  # a < 0
    label = (RNG.random(len(p)) < bent).astype(float)
    found = fit_beta(p, label, np.ones(len(p)))
    assert found is not None
    assert found.a == 0
    assert found.b > 0
    assert fit_beta(p, (RNG.random(len(p)) < 1 - p).astype(float), np.ones(len(p))) is None


def test_logistic_regression_equals_scikit_learn() -> None:
    columns = np.column_stack([RNG.normal(size=2_000), RNG.normal(size=2_000), np.ones(2_000)])
    label = (RNG.random(2_000) < 1 / (1 + np.exp(-columns @ [1.0, -2.0, 0.5]))).astype(float)
    weight = RNG.gamma(1.0, 1.0, 2_000)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000, fit_intercept=False)
    model.fit(columns, label, sample_weight=weight)
    found = fit_logistic(columns, label, weight)
    assert found is not None
    np.testing.assert_allclose(found, model.coef_[0], atol=1e-4)


def test_separated_classes_have_no_finite_fit() -> None:
    columns = np.column_stack([np.arange(20.0) - 9.5, np.ones(20)])
    found = fit_logistic(columns, (columns[:, 0] > 0).astype(float), np.ones(20))
    assert found is None or np.abs(found[0]) > 5  # so steep that nothing is left to gain
    p = np.repeat([0.2, 0.8], 50)
    for fit in (fit_platt, fit_beta, fit_temperature):
        calibrator = fit(p, (p > 0.5).astype(float), np.ones(100))
        if calibrator is not None:
            assert np.isfinite(calibrator.apply(p)).all()


@pytest.mark.parametrize("choice", ["isotonic", "platt", "beta", "temperature"])
def test_the_kind_that_the_spec_names_is_the_one_that_is_tried(choice: Choice) -> None:
    predictions = {"click": distorted(2.0, 0.3), "value": 4 * TRUE_P}
    _, records = fit_calibrators(predictions, table(10 * LABEL), TASKS, choice=choice)
    assert records["click"].kept == choice
    assert records["value"].kept == "scale"


def test_none_leaves_every_task_as_it_is() -> None:
    predictions = {"click": distorted(2.0, 0.7), "value": 4 * TRUE_P}
    calibrators, records = fit_calibrators(predictions, table(10 * LABEL), TASKS, choice="none")
    assert calibrators.tasks == {}
    assert records["click"].before == records["click"].after > 0


def test_a_refitted_isotonic_can_be_read_again() -> None:
    p = np.round(TRUE_P, 2)  # many equal predictions, some of them 0
    found = fit_isotonic(p, LABEL, ONES)
    assert Isotonic.model_validate_json(found.model_dump_json()) == found


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
    assert records["click"].kept in ("platt", "beta")
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
