"""Every task's metrics of one set of predictions."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import ShopguideError
from shopguide.evaluation.task_metrics import TaskMetrics, amount_metrics, binary_metrics
from shopguide.objective.replay import Requests
from shopguide.spec import Spec
from shopguide.spec.tasks import BinaryTask, Task

Floats = NDArray[np.float64]

_LEAST = 1e-12
_SLACK = 1e-6  # of a probability in float32


def evaluate(
    requests: Requests, predictions: Mapping[str, Floats], spec: Spec
) -> dict[str, TaskMetrics]:
    """Return the metrics of every task.

    Binary: auc, gauc (within users), pr_auc, log_loss, normalised_entropy, pcoc, ece. Amount: pcoc
    (predicted over observed money), bias (pcoc − 1), ece, normalised_gini and the decile chart
    over all impressions; spearman and spearman_within (users) among the rows where something was
    paid, of the amount given that.

    Args:
        requests: logged outcomes, weights and users.
        predictions: expected outcome by task [N].
        spec: reads the tasks.

    Raises:
        ShopguideError: a prediction is not finite, negative, or a probability above 1.
    """
    check_predictions(predictions, spec.quantities())
    return evaluate_rows(requests, predictions, spec.quantities(), slice(None))


def evaluate_rows(
    requests: Requests,
    predictions: Mapping[str, Floats],
    tasks: Mapping[str, Task],
    rows: slice | NDArray[np.int64],
) -> dict[str, TaskMetrics]:
    """Return the metrics of every task on some of the rows, of predictions that were checked."""
    user, weight = requests.user[requests.request][rows], requests.weight[rows]
    found = {}
    for name, task in tasks.items():
        outcomes, predicted = requests.outcomes[name][rows], predictions[name][rows]
        if isinstance(task, BinaryTask):
            found[name] = binary_metrics(outcomes, predicted, weight, user)
        else:
            given = predictions[task.after][rows] if task.after else np.ones(len(predicted))
            conditional = predicted / np.maximum(given, _LEAST)
            found[name] = amount_metrics(outcomes, predicted, conditional, weight, user)
    return found


def check_predictions(predictions: Mapping[str, Floats], tasks: Mapping[str, Task]) -> None:
    """Refuse predictions that no metric can be made of.

    Raises:
        ShopguideError: a prediction is not finite, negative, or a probability above 1; all tasks.
    """
    problems = []
    for name, task in tasks.items():
        values, most = predictions[name], 1 + _SLACK if task.kind == "binary" else np.inf
        bad = ~(np.isfinite(values) & (values >= 0) & (values <= most))
        if bad.any():
            row = int(np.argmax(bad))
            wanted = "from 0 to 1" if task.kind == "binary" else "finite and not negative"
            problems.append(
                ShopguideError(
                    f"prediction of {name}, row {row + 1}",
                    f"is {values[row]:g}, must be {wanted} ({int(bad.sum()):,} rows in all)",
                    "Train the model again; such a prediction cannot be served",
                )
            )
    if problems:
        raise ShopguideError.combined(problems)
