"""The conditions beside the gains: each a named value held against a limit."""

from collections.abc import Iterator, Mapping, Sequence

from shopguide.gate.decision import Counts, Guard, ModelEntry, Period, TaskQuality
from shopguide.gate.reasons import Reason
from shopguide.spec.gate import Gate

_REASONS = {
    "tasks": "incompatible_tasks",
    "feature_service": "incompatible_feature_service",
    "inputs": "incompatible_feature_service",
    "period": "period_overlap",
    "leak": "label_leak",
    "min_users": "too_few_users",
    "min_events": "too_few_events",
    "calibration": "calibration",
    "latency_p99_ms": "latency",
    "floor": "below_floor",
}
_WORDS = {
    "at_least": "{} where at least {} is asked for",
    "at_most": "{} where at most {} is allowed",
    "below": "{}, must be below {}",
    "equal": "{}, not {}",
    "after": "the test period is {}, the model's {}",
}


def compatibility(
    champion: ModelEntry, challenger: ModelEntry, missing: Sequence[str]
) -> Iterator[Guard]:
    """Yield whether the two models answer the same question from the same features.

    Args:
        champion: bundle in production.
        challenger: bundle to judge.
        missing: inputs of the champion that the test set lacks.
    """
    yield _equal("tasks:champion", ", ".join(champion.tasks), ", ".join(challenger.tasks))
    yield _equal("feature_service:champion", champion.feature_service, challenger.feature_service)
    lacking = f"the test set lacks {', '.join(missing)}" if missing else "all in the test set"
    yield _equal("inputs:champion", lacking, "all in the test set")


def period(name: str, learnt: Period, test: Period) -> Guard:
    """Return whether the test period lies after what a model learnt from.

    Args:
        name: challenger or champion.
        learnt: periods of its training and validation, together.
        test: period of the test impressions.
    """
    passes = test.start >= learnt.end  # ISO 8601 in UTC sorts as time does
    return Guard(f"period:{name}", _span(test), _span(learnt), "after", passes)


def sizes(counts: Counts, positives_needed: Sequence[str], gate: Gate) -> Iterator[Guard]:
    """Yield whether there are users and outcomes enough to judge by.

    Args:
        counts: what the test period holds.
        positives_needed: tasks of the goals.
        gate: reads `min_users` and `min_events`.
    """
    yield _at_least("min_users", counts.users, gate.min_users)
    for task in positives_needed:
        yield _at_least(f"min_events:{task}", counts.events[task], gate.min_events)


def prediction_guards(
    tasks: Mapping[str, TaskQuality], goal_tasks: Sequence[str], gate: Gate
) -> Iterator[Guard]:
    """Yield the guards on the challenger's predictions: leaks, then calibration.

    Args:
        tasks: quality by task.
        goal_tasks: tasks of the goals: those whose calibration is guarded.
        gate: reads `max_auc` and `calibration`.
    """
    for name, task in tasks.items():
        auc = task.challenger.metric("auc")
        if auc is not None:
            yield Guard(f"leak:{name}", auc, gate.max_auc, "below", auc < gate.max_auc)
    if gate.calibration is None:
        return
    for name in goal_tasks:
        pcoc = tasks[name].challenger.metric("pcoc")
        distance = None if pcoc is None else abs(pcoc - 1)
        passes = distance is not None and distance <= gate.calibration
        yield Guard(f"calibration:{name}", distance, gate.calibration, "at_most", passes)


def floors(tasks: Mapping[str, TaskQuality], gate: Gate) -> Iterator[Guard]:
    """Yield whether a first champion reaches the floors.

    Args:
        tasks: quality by task.
        gate: reads `floors`.
    """
    for name, floor in gate.floors.items():
        quality = tasks[name].challenger
        for metric, limit in (("auc", floor.auc), ("gauc", floor.gauc)):
            if limit is not None:
                found = quality.metric(metric)
                passes = found is not None and found >= limit
                yield Guard(f"floor:{name}.{metric}", found, limit, "at_least", passes)


def latency(milliseconds: float, limit: float) -> Guard:
    """Return whether scoring is fast enough; the value was measured, and is not reproducible."""
    passes = milliseconds <= limit
    return Guard("latency_p99_ms", milliseconds, limit, "at_most", passes)


def reason_of(guard: Guard, titles: Mapping[str, str]) -> Reason:
    """Return why a guard that does not pass stands against a promotion.

    Args:
        guard: that does not pass.
        titles: what a reader calls each task.
    """
    kind, _, subject = guard.name.partition(":")
    value = "undefined" if guard.value is None else _text(guard.value)
    detail = _WORDS[guard.rule].format(value, _text(guard.limit))
    task, _, metric = subject.partition(".")
    title = f"the {metric.upper()} of {titles[task]}" if metric else titles.get(task)
    return Reason(_REASONS[kind], subject or None, detail, title)


def _at_least(name: str, value: float, limit: float) -> Guard:
    return Guard(name, value, limit, "at_least", value >= limit)


def _equal(name: str, value: str, limit: str) -> Guard:
    return Guard(name, value, limit, "equal", value == limit)


def _span(period: Period) -> str:
    return f"{period.start} – {period.end}"


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
