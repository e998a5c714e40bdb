"""A solved trade-off on a later period than it was chosen on: how much of it was luck."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.features.reading import TrainingSet
from shopguide.fusion import Fusion
from shopguide.objective.champion import champion_scores, open_champion
from shopguide.objective.reading import read_table
from shopguide.objective.replay import (
    Requests,
    goal_tasks,
    goal_values,
    objective_value,
    request_sums,
)
from shopguide.objective.solution import Solution, read_solution
from shopguide.spec import Spec
from shopguide.spec.objective import Objective

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The chosen λ on the test period, which had no part in choosing it.

    What is relative to a goal of the reference that is 0 there, or has no value, is None.

    Args:
        objective: J on the test period; the reference scores 1 there too.
        goals: F by goal on the test period.
        changes: F / F(reference) − 1 by goal on the test period.
        optimism: J on validation − J on test: what the choice owes to the validation period.
        goal_optimism: the change on validation − the change on test, by goal.
    """

    objective: float | None
    goals: Mapping[str, float | None]
    changes: Mapping[str, float | None]
    optimism: float | None
    goal_optimism: Mapping[str, float | None]


def evaluate_on_test(
    spec: Spec,
    bundle: str | Path,
    training_set: str | Path,
    *,
    champion: str | Path | None = None,
) -> HeldOut:
    """Value a solved bundle on the test period, beside what its solution promised.

    For information: whoever changes the weights until the test period looks good has no test
    period any more, and the gate's bounds do not know of it.

    Args:
        spec: reads the tasks.
        bundle: solved, with its `solution.json`.
        training_set: only `test.parquet` is read.
        champion: the bundle that the solution is relative to, if it is.

    Raises:
        ShopguideError: the bundle was not solved, or the champion is not the solution's.
        InvalidDataError: an outcome or a weight is not what it must be.
    """
    path = TrainingSet.open(training_set, spec).file("test")
    model = load_bundle(bundle)
    solution = read_solution(bundle)
    if solution is None or model.fusion is None:
        raise ShopguideError(str(bundle), "has no solution.json", "Run `shopguide solve` on it")
    table = read_table(path)
    terms = spec.model_copy(update={"objective": solution.objective})
    requests = Requests.from_table(table, terms, where=str(path))
    held = open_champion(champion, model) if solution.champion else None
    if (held.manifest.checksum if held else None) != (
        solution.champion.checksum if solution.champion else None
    ):
        raise ShopguideError(
            f"champion {champion}",
            f"is not the one of {bundle}/solution.json",
            "Give the champion that the bundle was solved against, or solve it again",
        )
    predictions = model.predict(table)
    reference = champion_scores(held, model, predictions, table) if held else None
    return held_out(solution, model.fusion, requests, predictions, reference)


def held_out(
    solution: Solution,
    fusion: Fusion,
    requests: Requests,
    predictions: Mapping[str, Floats],
    champion: Floats | None,
) -> HeldOut:
    """Value a solution on another period.

    Args:
        solution: of the bundle, from validation.
        fusion: the bundle's, with the chosen λ.
        requests: of the other period, N rows.
        predictions: of the bundle, by task [N].
        champion: scores of the solution's champion [N]; None: it has none, and the reference is
            the bundle's own ranking by equal weights.
    """
    objective = solution.objective
    scores = equal_fusion(fusion).score(predictions) if champion is None else champion
    values = _values(requests, fusion.score(predictions), objective)
    reference = _values(requests, scores, objective)
    with np.errstate(divide="ignore", invalid="ignore"):
        changes = values / reference - 1
    total = float(objective_value(values, reference, objective.goals))
    promised = np.array(
        [
            solution.point.goals[name] / solution.reference_goals[name] - 1
            for name in objective.goals
        ]
    )
    return HeldOut(
        objective=_finite(total),
        goals=_named(objective, values),
        changes=_named(objective, changes),
        optimism=_finite(solution.point.objective - total),
        goal_optimism=_named(objective, promised - changes),
    )


def equal_fusion(fusion: Fusion) -> Fusion:
    """Return a fusion that weighs the same tasks equally: the reference without a champion."""
    share = 1 / len(fusion.weights)
    return Fusion(fusion.form, dict.fromkeys(fusion.weights, share), fusion.means)


def _values(requests: Requests, scores: Floats, objective: Objective) -> Floats:
    counted = goal_tasks(objective.goals)
    sums = request_sums(requests, scores, counted, objective.discount)
    return goal_values(sums.sum(axis=0), float(len(sums)), counted, objective.goals)


def _named(objective: Objective, values: Floats) -> dict[str, float | None]:
    return dict(zip(objective.goals, map(_finite, map(float, values)), strict=True))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
