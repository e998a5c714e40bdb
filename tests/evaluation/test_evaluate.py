"""Metrics of all tasks, within slices, and on rows that allow none."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.evaluation import evaluate, evaluate_slices
from shopguide.objective import Requests
from shopguide.spec import Spec

Predictions = dict[str, np.ndarray]


def test_a_binary_task_has_the_metrics_of_scikit_learn(
    requests: Requests, predictions: Predictions, spec: Spec
) -> None:
    found, label = evaluate(requests, predictions, spec)["buy"], requests.outcomes["buy"]
    p = predictions["buy"]
    assert found.metrics["auc"] == pytest.approx(roc_auc_score(label, p))
    assert found.metrics["pr_auc"] == pytest.approx(average_precision_score(label, p))
    assert found.metrics["log_loss"] == pytest.approx(log_loss(label, p))
    assert found.metrics["pcoc"] == pytest.approx(p.sum() / label.sum())
    assert found.reasons == {}


def test_an_amount_is_ranked_given_that_something_is_paid(
    requests: Requests, predictions: Predictions, spec: Spec
) -> None:
    generator = np.random.default_rng(1)
    given = generator.uniform(1, 9, len(predictions["buy"]))
    changed = predictions | {"value": predictions["buy"] * given}
    found, paid = evaluate(requests, changed, spec)["value"], requests.outcomes["value"]
    expected = spearmanr(paid[paid > 0], given[paid > 0]).statistic
    assert found.metrics["spearman"] == pytest.approx(expected)
    assert found.metrics["bias"] == pytest.approx(changed["value"].sum() / paid.sum() - 1)
    assert found.deciles is not None
    assert found.deciles.share.sum() == pytest.approx(1)


def test_a_slice_has_the_metrics_of_its_rows_alone(
    requests: Requests, predictions: Predictions, spec: Spec, table: pa.Table
) -> None:
    found = evaluate_slices(requests, predictions, spec.tasks, table, ["region"])
    assert [part.value for part in found] == ["north", "south", None]
    assert sum(part.rows for part in found) == table.num_rows
    here = np.array(table.column("region").to_pylist(), dtype=object) == "south"
    alone = Requests.from_table(table.filter(pa.array(here)), spec)
    part = {name: values[here] for name, values in predictions.items()}
    assert found[1].tasks["buy"].metrics == pytest.approx(
        evaluate(alone, part, spec)["buy"].metrics
    )


def test_a_slice_of_no_column_is_refused(
    requests: Requests, predictions: Predictions, spec: Spec, table: pa.Table
) -> None:
    with pytest.raises(ShopguideError, match="no column colour among request_id, "):
        evaluate_slices(requests, predictions, spec.tasks, table, ["colour"])


@pytest.mark.parametrize(("label", "why"), [(0.0, "no outcome is 1"), (1.0, "every outcome is 1")])
def test_one_class_gives_null_with_a_reason(
    requests: Requests, predictions: Predictions, spec: Spec, label: float, why: str
) -> None:
    rows = len(predictions["buy"])
    outcomes = {"buy": np.full(rows, label), "value": np.full(rows, 3 * label)}
    found = evaluate(replace(requests, outcomes=outcomes), predictions, spec)
    shown = found["buy"].to_dict()
    json.dumps(shown, allow_nan=False)
    assert shown["metrics"]["auc"] is None  # type: ignore[index]
    assert found["buy"].reasons["auc"] == why
    assert np.isfinite(found["buy"].metrics["log_loss"])
    assert "spearman" in found["value"].reasons
    json.dumps(found["value"].to_dict(), allow_nan=False)
    if label == 0:
        assert found["value"].reasons["bias"] == "nothing was paid"


def test_users_of_one_class_have_no_gauc(
    requests: Requests, predictions: Predictions, spec: Spec
) -> None:
    user = requests.user[requests.request]
    outcomes = dict(requests.outcomes) | {"buy": (user % 2).astype(float)}
    found = evaluate(replace(requests, outcomes=outcomes), predictions, spec)["buy"]
    assert found.reasons == {"gauc": "no user has both a 0 and a 1"}
    assert np.isfinite(found.metrics["auc"])


def test_weights_that_are_all_zero_give_null_with_a_reason(
    requests: Requests, predictions: Predictions, spec: Spec
) -> None:
    found = evaluate(replace(requests, weight=np.zeros(400)), predictions, spec)
    for task in found.values():
        assert set(task.reasons.values()) == {"all weights are 0"}
        assert np.isnan(list(task.metrics.values())).all()
        assert json.dumps(task.to_dict(), allow_nan=False)


@pytest.mark.parametrize(("bad", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-0.1, "-0.1")])
def test_predictions_that_are_no_numbers_are_refused(
    requests: Requests, predictions: Predictions, spec: Spec, bad: float, shown: str
) -> None:
    for task in ("buy", "value"):
        values = predictions[task].copy()
        values[6] = bad
        with pytest.raises(ShopguideError, match=f"prediction of {task}, row 7: is {shown}, must"):
            evaluate(requests, predictions | {task: values}, spec)


def test_a_probability_above_one_is_refused(
    requests: Requests, predictions: Predictions, spec: Spec
) -> None:
    with pytest.raises(ShopguideError, match="from 0 to 1"):
        evaluate(requests, predictions | {"buy": predictions["buy"] + 1}, spec)


@pytest.mark.parametrize(
    ("bad", "what"), [(np.nan, "not finite"), (np.inf, "not finite"), (-3, "negative")]
)
def test_money_that_is_none_is_refused(table: pa.Table, spec: Spec, bad: float, what: str) -> None:
    values = table.column("value").to_numpy().copy()
    values[2] = bad
    broken = table.set_column(5, "value", pa.array(values))
    with pytest.raises(InvalidDataError, match=f"column value, row 3: {what}"):
        Requests.from_table(broken, spec)


def test_an_empty_split_is_refused(table: pa.Table, spec: Spec) -> None:
    with pytest.raises(InvalidDataError, match="holds no impression"):
        Requests.from_table(table.slice(0, 0), spec)
