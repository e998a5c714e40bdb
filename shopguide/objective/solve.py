"""Solve for the fusion weights on the validation period, and put them into the bundle."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.bundle import Bundle, load_bundle, with_fusion
from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.files import existing
from shopguide.objective.champion import champion_scores, open_champion
from shopguide.objective.front_page import write_front
from shopguide.objective.pareto import hypervolume, non_dominated
from shopguide.objective.policies import Policies, equal_weights, ranking_tasks
from shopguide.objective.replay import Requests, objective_value
from shopguide.objective.search import Explored, explore
from shopguide.objective.solution import ChampionPoint, FrontPoint, Solution
from shopguide.objective.solvers import choose
from shopguide.objective.summary import SolveSummary, summarise
from shopguide.spec import Spec
from shopguide.spec.objective import Goal

Floats = NDArray[np.float64]

_log = logging.getLogger(__name__)


def solve_objective(
    spec: Spec,
    bundle: str | Path,
    training_set: str | Path,
    out: str | Path,
    *,
    champion: str | Path | None = None,
    page: str | Path | None = None,
) -> SolveSummary:
    """Find λ on the validation period, and write the bundle with it and with `solution.json`.

    With a champion, goals are relative to its own values on the same impressions, and these are
    the disagreement point of the bargaining solvers. Without one, goals are relative to equal
    weights, and the disagreement point is the worst of each goal on the front.

    Args:
        spec: reads the tasks and `objective`.
        bundle: trained bundle, with or without fusion weights.
        training_set: only `valid.parquet` is read; the test period stays unseen.
        out: directory of the new bundle.
        champion: bundle in production; None, or an empty directory: there is none.
        page: file to show the front in, as HTML; None: no page.

    Raises:
        ShopguideError: the bundle or the training set is missing or broken, or the champion is
            another shop's.
        InvalidDataError: an outcome or a weight is not what it must be, or a goal of the reference
            is 0 on the validation period, so nothing can be relative to it.
    """
    started = time.monotonic()
    path = existing(Path(training_set) / "valid.parquet", made_by="shopguide features")
    model = load_bundle(bundle)
    held = open_champion(champion, model)
    table = pq.read_table(path)
    requests = Requests.from_table(table, spec, where=str(path))
    policies = Policies(spec, requests, _predictions(model, table, spec))
    point = _champion_point(held, table, policies, spec)
    solution = _solve(spec, policies, point, _known(policies, held))
    fusion = policies.fusion(np.array(list(solution.point.weights.values())))
    with_fusion(bundle, out, fusion, solution)
    if page is not None:
        write_front(solution, page)
    _report(solution, time.monotonic() - started)
    return summarise(solution, fusion.means)


def _predictions(model: Bundle, table: pa.Table, spec: Spec) -> Mapping[str, Floats]:
    predictions = model.predict(table)
    missing = [task for task in ranking_tasks(spec) if task not in predictions]
    if missing:
        raise ShopguideError(
            f"{model.path}/bundle.json tasks",
            f"the bundle predicts {', '.join(predictions)}; the objective ranks by "
            f"{', '.join(missing)} too",
            "Solve it with the spec that it was trained with, or train it again",
        )
    return predictions


def _champion_point(
    champion: Bundle | None, table: pa.Table, policies: Policies, spec: Spec
) -> ChampionPoint | None:
    scores = None if champion is None else champion_scores(champion, table)
    if champion is None or scores is None:
        return None
    values = policies.values_of(scores)
    _refuse_zero(values, spec.objective.goals, "the champion's value")
    return ChampionPoint(
        version=champion.manifest.version,
        checksum=champion.manifest.checksum,
        goals=_named(spec.objective.goals, values),
    )


def _known(policies: Policies, champion: Bundle | None) -> Floats:
    """Return the champion's λ as one to start from [S, T]; none where it fuses otherwise."""
    fusion = champion.fusion if champion else None
    weights = policies.weights_of(fusion) if fusion else None
    return np.empty((0, len(policies.tasks))) if weights is None else weights[None]


def _solve(
    spec: Spec, policies: Policies, champion: ChampionPoint | None, known: Floats
) -> Solution:
    """Explore, choose, and describe the front."""
    goals = spec.objective.goals
    held = None if champion is None else np.array([champion.goals[name] for name in goals])
    reference = held
    if reference is None:
        reference = policies.values(equal_weights(len(policies.tasks)))
        _refuse_zero(reference, goals, "its value under equal weights")
    found = explore(
        policies.values,
        known,
        lambda values: choose(values, spec.objective, reference, held),
    )
    if found is None:
        raise InvalidDataError(
            "validation period",
            "no λ gives every goal a value: the denominator of a ratio is 0 under each",
            "Take a longer validation period, or drop the ratio",
        )
    return _describe(spec, policies.tasks, found, reference, champion)


def _describe(
    spec: Spec,
    tasks: list[str],
    found: Explored,
    reference: Floats,
    champion: ChampionPoint | None,
) -> Solution:
    goals = spec.objective.goals
    front = np.flatnonzero(non_dominated(found.values))
    objective = objective_value(found.values, reference, goals)
    return Solution(
        solver=spec.objective.solver,
        objective=spec.objective,
        reference="equal weights" if champion is None else "champion",
        reference_goals=_named(goals, reference),
        champion=champion,
        front=[
            FrontPoint(
                weights=_named(tasks, found.weights[p]),
                goals=_named(goals, found.values[p]),
                objective=float(objective[p]),
            )
            for p in front
        ],
        chosen=int(np.searchsorted(front, found.choice.index)),
        hypervolume=hypervolume(found.values[front], reference),
        evaluated=found.evaluated,
        fallback=found.choice.fallback,
    )


def _named(names: Mapping[str, Goal] | list[str], values: Floats) -> dict[str, float]:
    return dict(zip(names, map(float, values), strict=True))


def _refuse_zero(values: Floats, goals: Mapping[str, Goal], whose: str) -> None:
    problems = [
        InvalidDataError(
            f"validation period, goal {name}",
            f"{whose} is {value:g}, so nothing can be relative to it",
            "Take a longer validation period, or drop the goal",
        )
        for name, value in zip(goals, values, strict=True)
        if not 0 < value < np.inf
    ]
    if problems:
        raise InvalidDataError.combined(problems)


def _report(solution: Solution, seconds: float) -> None:
    if solution.fallback is not None:
        _log.warning("solve: %s: %s", solution.solver, solution.fallback)
    _log.info(
        "solve: %s, λ %s, J %.4f on validation, front of %d, %d tried, %.1f s",
        solution.solver,
        ", ".join(f"{task} {weight:.2f}" for task, weight in solution.point.weights.items()),
        solution.point.objective,
        len(solution.front),
        solution.evaluated,
        seconds,
    )
