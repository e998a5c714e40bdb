"""Solve for the fusion weights on the validation period, and put them into the bundle."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shopguide.bundle import Bundle, load_bundle, with_fusion
from shopguide.errors import ShopguideError
from shopguide.features.reading import TrainingSet
from shopguide.objective.champion import champion_scores, open_champion
from shopguide.objective.find import find_solution, named, refuse_zero
from shopguide.objective.front_page import write_front
from shopguide.objective.policies import Policies, ranking_tasks
from shopguide.objective.reading import instants_of, read_table
from shopguide.objective.replay import Requests
from shopguide.objective.solution import ChampionPoint, Solution, SolvedOn
from shopguide.objective.summary import SolveSummary, summarise
from shopguide.spec import Spec

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
    path = TrainingSet.open(training_set, spec).file("valid")
    model = load_bundle(bundle)
    held = open_champion(champion, model)
    table = read_table(path)
    requests = Requests.from_table(table, spec, where=str(path))
    predictions = _predictions(model, table, spec)
    policies = Policies(spec, requests, predictions)
    scores = champion_scores(held, model, predictions, table) if held else None
    point = _champion_point(held, scores, policies, spec)
    solution = find_solution(
        spec.objective, policies, point, _known(policies, held), _solved_on(table, str(path))
    )
    fusion = policies.fusion(np.array(list(solution.point.weights.values())))
    with_fusion(bundle, out, fusion, solution)
    if page is not None:
        write_front(solution, page)
    _report(solution, time.monotonic() - started)
    return summarise(solution, fusion.means)


def _solved_on(table: pa.Table, where: str) -> SolvedOn:
    times = instants_of(table, where)
    found = pc.min_max(times).as_py()
    return SolvedOn(start=found["min"], end=found["max"], rows=table.num_rows)


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
    champion: Bundle | None, scores: Floats | None, policies: Policies, spec: Spec
) -> ChampionPoint | None:
    if champion is None or scores is None:
        return None
    values = policies.values_of(scores)
    refuse_zero(values, spec.objective.goals, "the champion's value")
    return ChampionPoint(
        version=champion.manifest.version,
        checksum=champion.manifest.checksum,
        goals=named(spec.objective.goals, values),
    )


def _known(policies: Policies, champion: Bundle | None) -> Floats:
    """Return the champion's λ as one to start from [S, T]; none where it fuses otherwise."""
    fusion = champion.fusion if champion else None
    weights = policies.weights_of(fusion) if fusion else None
    return np.empty((0, len(policies.tasks))) if weights is None else weights[None]


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
