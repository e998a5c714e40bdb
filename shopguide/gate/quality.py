"""How well each model predicts each task on the test period, as the decision holds it."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation import TaskMetrics, evaluate
from shopguide.gate.decision import Quality, ReliabilityBin, TaskQuality
from shopguide.gate.test_set import TestSet
from shopguide.spec import Spec
from shopguide.spec.tasks import AmountTask

Predictions = Mapping[str, NDArray[np.float64]]

_DIGITS = 10  # a sum of many rows may differ beyond, between processors


def task_quality(
    spec: Spec,
    test: TestSet,
    challenger: Predictions,
    champion: Mapping[str, TaskMetrics] | None,
) -> dict[str, TaskQuality]:
    """Return every task's metrics and reliability curve, for one or two models.

    Args:
        spec: reads the tasks.
        test: impressions with their outcomes.
        challenger: expected outcome by task [N].
        champion: metrics of the champion; None where there is none to compare with.
    """
    judged, held = evaluate(test.requests, challenger, spec), champion or {}
    return {
        name: TaskQuality(
            title=task.title or name,
            kind=task.kind,
            unit=task.unit if isinstance(task, AmountTask) else "",
            challenger=_quality(judged[name]),
            champion=_quality(held[name]) if name in held else None,
        )
        for name, task in spec.quantities().items()
    }


def rounded(value: float) -> float | None:
    """Return a number to ten significant digits; None where it is not finite."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _quality(found: TaskMetrics) -> Quality:
    curve = found.reliability
    bins = zip(curve.predicted, curve.observed, curve.weight, strict=True)
    return Quality(
        metrics={name: rounded(value) for name, value in found.metrics.items()},
        reliability=tuple(ReliabilityBin(*(rounded(x) or 0.0 for x in row)) for row in bins),
    )
