"""Every guard of one candidate, from the case and its predictions."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from shopguide.bundle import Bundle
from shopguide.gate import guards, models
from shopguide.gate.case import Case
from shopguide.gate.decision import Guard, TaskQuality
from shopguide.gate.latency import latency_p99_ms
from shopguide.gate.leaks import Leak, find_leaks
from shopguide.objective.replay import goal_tasks


def compatible(case: Case, challenger: Bundle) -> list[Guard]:
    """Return whether a challenger can be compared with the champion; empty without one."""
    champion = case.champion_entry()
    if case.champion is None or champion is None:
        return []
    missing = models.missing_inputs(case.champion, case.test.table)
    return list(guards.compatibility(champion, models.entry(challenger, None), missing))


def checks(
    case: Case, challenger: Bundle, tasks: Mapping[str, TaskQuality], leaks: Sequence[Leak]
) -> Iterator[Guard]:
    """Yield every guard of a challenger.

    Args:
        case: what is judged.
        challenger: one of its candidates.
        tasks: how well it predicts.
        leaks: those of the test set; what the challenger does not read is none of its.
    """
    gate = case.spec.gate
    counts, outcomes = case.counts(), case.test.requests.outcomes
    goals = [name for name in goal_tasks(case.spec.objective.goals) if name in counts.events]
    yield from compatible(case, challenger)
    yield guards.golden("challenger", models.golden_difference(challenger))
    if case.champion is not None:
        yield guards.golden("champion", models.golden_difference(case.champion))
    periods = case.periods(challenger)
    for name, learnt in periods.items():
        if name != "test":
            yield guards.period(name, learnt, periods["test"])
    uniform = [name for name in goals if np.ptp(outcomes[name]) == 0]
    yield from guards.sizes(counts, goals, uniform, gate)
    read = set(models.input_columns(challenger))
    mine = [leak for leak in leaks if leak.feature in read]
    yield from guards.feature_leaks(mine, gate)
    waived = {leak.task for leak in mine if leak.feature in gate.waive_leaks}
    guarded = [name for name in goals if name in tasks]
    yield from guards.prediction_guards(tasks, guarded, waived, gate)
    if case.champion is None:
        yield from guards.floors(tasks, gate)
    yield from _latency(case, challenger)


def leaks_of(case: Case) -> list[Leak]:
    """Return the leaking inputs of the challengers, each with the task that it tells best."""
    outcomes = case.test.requests.outcomes
    labels = {task: outcomes[task] for task in case.spec.quantities()}
    worst: dict[str, Leak] = {}
    inputs = list(dict.fromkeys(models.input_columns(*case.challengers)))
    for leak in find_leaks(case.test.table, inputs, labels, case.spec.gate.max_auc):
        former = worst.get(leak.feature)
        if former is None or leak.auc > former.auc:
            worst[leak.feature] = leak
    return list(worst.values())


def _latency(case: Case, challenger: Bundle) -> Iterator[Guard]:
    limit = case.spec.gate.max_latency_ms
    if limit is None:
        return
    measured = case.latencies.get(challenger.manifest.checksum)
    if measured is None:
        measured = latency_p99_ms(challenger, case.test.table)
    yield guards.latency(measured, limit)
