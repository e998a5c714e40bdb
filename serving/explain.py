"""Why an item scores as it does: exactly by goals, by occlusion for the model's inputs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from serving.schemas import ExplainedItem, FeatureEffect, GoalShare
from shopguide.bundle import Bundle
from shopguide.fusion import Fusion

METHOD = "occlusion: score − score with the input replaced by its training default"
"""What is said of the effects of inputs in every answer."""

Scalar = str | float | None


def explain_rows(
    bundle: Bundle,
    fusion: Fusion,
    table: pa.Table,
    defaults: Mapping[str, Scalar],
    top_features: int,
) -> list[ExplainedItem]:
    """Explain the rows of a table, best first.

    Each row is scored once more for every input, that input replaced by its default: inputs that
    say the same thing hide each other, so the effects do not sum to the score.

    Args:
        bundle: what scores.
        fusion: λ of this request.
        table: the model's inputs and `shown_at`, [N] rows; also `item_id`.
        defaults: what training saw most, by input; null: missing.
        top_features: inputs told per row.
    """
    predictions = bundle.predict(table)
    terms = fusion.terms(predictions)
    scores = fusion.combine(terms)
    names = [entry.name for entry in bundle.manifest.inputs]
    effects = _effects(bundle, fusion, table, names, defaults, scores) if top_features else None
    goals = goals_by_task(bundle)
    items = []
    for row in np.argsort(-scores, kind="stable").tolist():
        shares = [
            GoalShare(
                task=task,
                goals=goals.get(task, []),
                weight=float(weight),
                prediction=float(predictions[task][row]),
                mean=float(fusion.means[task]),
                contribution=float(weight * terms[task][row]),
            )
            for task, weight in fusion.weights.items()
        ]
        told = (
            [] if effects is None else _largest(table, names, defaults, effects, row, top_features)
        )
        item_id = table.column("item_id")[row].as_py()
        items.append(ExplainedItem(item_id, float(scores[row]), shares, told))
    return items


def goals_by_task(bundle: Bundle) -> dict[str, list[str]]:
    """Return the names of the goals that each task speaks for."""
    found: dict[str, list[str]] = {}
    for name, goal in bundle.spec.objective.goals.items():
        found.setdefault(goal.task, []).append(name)
    return found


def _effects(
    bundle: Bundle,
    fusion: Fusion,
    table: pa.Table,
    names: Sequence[str],
    defaults: Mapping[str, Scalar],
    scores: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return score − score without the input, [inputs, N], in one call of the graph."""
    rows = table.num_rows
    times = np.tile(np.arange(rows), len(names))
    wide = table.take(pa.array(times))
    for place, name in enumerate(names):
        column = table.column(name)
        before, after = place * rows, (len(names) - place - 1) * rows
        default = pa.array([defaults[name]] * rows, type=column.type)
        chunks = [*_repeated(column, before), default, *_repeated(column, after)]
        wide = wide.set_column(wide.column_names.index(name), name, pa.chunked_array(chunks))
    without = fusion.score(bundle.predict(wide)).reshape(len(names), rows)
    found: NDArray[np.float64] = scores[None, :] - without
    return found


def _repeated(column: pa.ChunkedArray, length: int) -> list[pa.Array]:
    whole = column.combine_chunks()
    return [whole] * (length // len(whole))


def _largest(
    table: pa.Table,
    names: Sequence[str],
    defaults: Mapping[str, Scalar],
    effects: NDArray[np.float64],
    row: int,
    number: int,
) -> list[FeatureEffect]:
    """Return the inputs with the largest effects on a row; those with none are left out."""
    order = np.argsort(-np.abs(effects[:, row]), kind="stable")[:number]
    return [
        FeatureEffect(
            input=names[place],
            value=_plain(table.column(names[place])[row].as_py()),
            baseline=defaults[names[place]],
            effect=float(effects[place, row]),
        )
        for place in order.tolist()
        if effects[place, row] != 0
    ]


def _plain(value: Any) -> Scalar:  # noqa: ANN401 - of an Arrow scalar
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if value is None or isinstance(value, str) else float(value)
