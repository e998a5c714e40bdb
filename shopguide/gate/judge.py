"""From two loaded bundles and a test period to the decision."""

from dataclasses import dataclass, replace

import numpy as np
import onnxruntime

from shopguide import __version__
from shopguide.bundle import Bundle
from shopguide.gate import gains, guards, models
from shopguide.gate.caveats import warnings_about
from shopguide.gate.criteria import against_champion, first_champion
from shopguide.gate.decision import (
    SCHEMA,
    Counts,
    Decision,
    Guard,
    Period,
    TaskQuality,
    fingerprint,
)
from shopguide.gate.gains import Gains
from shopguide.gate.latency import latency_p99_ms
from shopguide.gate.quality import task_quality
from shopguide.gate.reasons import Reason, verdict_of
from shopguide.gate.test_set import TestSet
from shopguide.objective.replay import goal_tasks
from shopguide.spec import Spec


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged, by what, on what.

    Args:
        champion: None when there is none.
        champion_version: its version in the registry; None: its bundle's own.
        latency_ms: p99 that was measured before; None: measure it.
    """

    spec: Spec
    test: TestSet
    challenger: Bundle
    champion: Bundle | None
    champion_version: str | None
    latency_ms: float | None


def judge(case: Case) -> Decision:
    """Compare, guard, conclude."""
    spec, test = case.spec, case.test
    apart = _compatibility(case)
    comparable = case.champion is not None and all(guard.passes for guard in apart)
    judged = models.score(case.challenger, test.table)
    held = models.score(case.champion, test.table) if case.champion and comparable else None
    if held is not None:
        found = gains.over_champion(spec, test, held.scores, judged.scores)
    elif case.champion is not None:
        found = gains.alone(spec, test, judged.scores)
    else:
        found = gains.over_baseline(spec, test, judged.scores)
    tasks = task_quality(spec, test, judged.predictions, held.predictions if held else None)
    guarded = (*apart, *_guards(case, tasks))
    return _conclude(case, found, tasks, guarded)


def _compatibility(case: Case) -> list[Guard]:
    if case.champion is None:
        return []
    missing = models.missing_inputs(case.champion, case.test.table)
    champion = models.entry(case.champion, case.champion_version)
    return list(guards.compatibility(champion, models.entry(case.challenger, None), missing))


def _guards(case: Case, tasks: dict[str, TaskQuality]) -> list[Guard]:
    gate, goals = case.spec.gate, goal_tasks(case.spec.objective.goals)
    periods = _periods(case)
    found = [
        guards.period(name, learnt, periods["test"])
        for name, learnt in periods.items()
        if name != "test"
    ]
    found += guards.sizes(_counts(case), goals, gate)
    found += guards.prediction_guards(tasks, goals, gate)
    if case.champion is None:
        found += guards.floors(tasks, gate)
    if gate.max_latency_ms is not None:
        measured = case.latency_ms
        if measured is None:
            measured = latency_p99_ms(case.challenger, case.test.table)
        found.append(guards.latency(measured, gate.max_latency_ms))
    return found


def _conclude(
    case: Case, found: Gains, tasks: dict[str, TaskQuality], guarded: tuple[Guard, ...]
) -> Decision:
    spec, counts = case.spec, _counts(case)
    challenger = models.entry(case.challenger, None)
    champion = models.entry(case.champion, case.champion_version) if case.champion else None
    reasons = _reasons(case, found, tasks, guarded)
    decision = Decision(
        schema=SCHEMA,
        verdict=verdict_of(reasons),
        reasons=tuple(reason.text for reason in reasons),
        because=tuple(reason.sentence for reason in reasons),
        title=spec.title or spec.name,
        objective=found.objective,
        goals=found.goals,
        slices=found.slices,
        guards=guarded,
        baseline=found.baseline,
        tasks=tasks,
        champion=champion,
        challenger=challenger,
        test_set=case.test.checksum,
        periods=_periods(case),
        counts=counts,
        confidence=spec.gate.confidence,
        replicates=spec.gate.replicates,
        seed=spec.seed,
        terms={
            "objective": spec.objective.model_dump(mode="json"),
            "gate": spec.gate.model_dump(mode="json"),
        },
        notes=tuple(spec.notes),
        warnings=warnings_about(found, tasks, spec),
        versions=_versions(),
    )
    return replace(decision, fingerprint=fingerprint(decision))


def _reasons(
    case: Case, found: Gains, tasks: dict[str, TaskQuality], guarded: tuple[Guard, ...]
) -> list[Reason]:
    titles = {name: task.title for name, task in tasks.items()}
    if case.champion is None:
        return first_champion(found.baseline, case.spec.gate, guarded, titles)
    same = case.champion.manifest.checksum == case.challenger.manifest.checksum
    return against_champion(
        found.objective, found.goals, found.slices, guarded, titles, identical=same
    )


def _periods(case: Case) -> dict[str, Period]:
    periods = {
        "test": Period(models.iso(case.test.first), models.iso(case.test.last)),
        "challenger": models.learnt_from(case.challenger),
    }
    if case.champion is not None:
        periods["champion"] = models.learnt_from(case.champion)
    return periods


def _counts(case: Case) -> Counts:
    requests = case.test.requests
    return Counts(
        users=requests.users,
        requests=len(requests.user),
        impressions=len(requests.request),
        events={task: case.test.events(task) for task in case.spec.tasks},
    )


def _versions() -> dict[str, str]:
    return {
        "shopguide": __version__,
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
