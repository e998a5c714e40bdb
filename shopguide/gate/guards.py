"""The conditions beside the gains: each a named value held against a limit."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from shopguide.gate.decision import Counts, Guard, ModelEntry, Period, Rule, TaskQuality
from shopguide.gate.leaks import AGREEMENT, Leak
from shopguide.gate.reasons import Reason
from shopguide.spec.gate import Gate

LATENCY = "latency_p99_ms"
"""Guard whose value is a measurement of this machine, not a function of the inputs."""

GOLDEN_LIMIT = 1e-5
"""Most that a prediction of a golden row may differ from what it was at training."""

_REASONS = {
    "golden": "artifact",
    "tasks": "incompatible_tasks",
    "feature_service": "incompatible_feature_service",
    "inputs": "incompatible_feature_service",
    "period": "period_overlap",
    "feature_leak": "feature_leak",
    "leak": "label_leak",
    "classes": "one_class",
    "min_users": "too_few_users",
    "min_events": "too_few_events",
    "calibration": "calibration",
    LATENCY: "latency",
    "floor": "below_floor",
}
_WORDS = {
    "at_least": "{} where at least {} is asked for",
    "at_most": "{} where at most {} is allowed",
    "below": "{}, must be below {}",
    "equal": "{}, not {}",
    "after": "the test period is {}, its training, calibration and λ took {}",
    "waived": "{}, waived by the spec from {} on",
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


def golden(name: str, difference: float | None) -> Guard:
    """Return whether a bundle still predicts its golden rows.

    A difference within the limit is the processor's and counts as 0, so that a decision is the
    same on every machine.

    Args:
        name: challenger or champion.
        difference: the largest one; of an amount, relative to 1 + its size; None: no rows.
    """
    passes = difference is not None and difference <= GOLDEN_LIMIT
    value = difference if difference is None else 0.0 if passes else float(f"{difference:.4g}")
    return Guard(f"golden:{name}", value, GOLDEN_LIMIT, "at_most", passes)


def period(name: str, learnt: Period, test: Period) -> Guard:
    """Return whether the test period lies after what a model learnt from.

    Args:
        name: challenger or champion.
        learnt: periods of its training and validation, together.
        test: period of the test impressions.
    """
    passes = test.start >= learnt.end  # ISO 8601 in UTC sorts as time does
    return Guard(f"period:{name}", span(test), span(learnt), "after", passes)


def sizes(
    counts: Counts, positives_needed: Sequence[str], uniform: Collection[str], gate: Gate
) -> Iterator[Guard]:
    """Yield whether there are users and outcomes enough to judge by.

    Args:
        counts: what the test period holds.
        positives_needed: outcomes of the goals.
        uniform: those of them that are the same for every impression.
        gate: reads `min_users` and `min_events`.
    """
    yield _at_least("min_users", counts.users, gate.min_users)
    for outcome in positives_needed:
        found = counts.events[outcome]
        yield _at_least(f"min_events:{outcome}", found, gate.min_events)
        if outcome in uniform and found:
            yield Guard(f"classes:{outcome}", found, counts.impressions, "below", passes=False)


def feature_leaks(leaks: Sequence[Leak], gate: Gate) -> Iterator[Guard]:
    """Yield each feature that tells a label, or that there is none.

    Args:
        leaks: what was found, at most one a feature.
        gate: reads `max_auc` and `waive_leaks`.
    """
    if not leaks:
        yield Guard("feature_leaks", 0, 0, "at_most", passes=True)
    for leak in leaks:
        waived = leak.feature in gate.waive_leaks
        by_auc = leak.auc >= gate.max_auc
        value, limit = (leak.auc, gate.max_auc) if by_auc else (leak.agreement, AGREEMENT)
        kind = "feature_leak" if by_auc else "feature_is_label"
        rule: Rule = "waived" if waived else "below" if by_auc else "at_most"
        yield Guard(f"{kind}:{leak.feature}.{leak.task}", value, limit, rule, waived)


def prediction_guards(
    tasks: Mapping[str, TaskQuality],
    goal_tasks: Sequence[str],
    waived: Collection[str],
    gate: Gate,
) -> Iterator[Guard]:
    """Yield the guards on the challenger's predictions: leaks, then calibration.

    Args:
        tasks: quality by task.
        goal_tasks: tasks of the goals: those whose calibration is guarded.
        waived: tasks whose label a waived feature tells: a perfect prediction is no news there.
        gate: reads `max_auc` and `calibration`.
    """
    for name, task in tasks.items():
        auc = task.challenger.metric("auc")
        if auc is not None:
            passes, excused = auc < gate.max_auc, name in waived
            rule: Rule = "waived" if excused and not passes else "below"
            yield Guard(f"leak:{name}", auc, gate.max_auc, rule, passes or excused)
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
    return Guard(LATENCY, milliseconds, limit, "at_most", passes)


def reason_of(guard: Guard, titles: Mapping[str, str]) -> Reason:
    """Return why a guard that does not pass stands against a promotion.

    Args:
        guard: that does not pass.
        titles: what a reader calls each task.
    """
    kind, _, subject = guard.name.partition(":")
    if kind in ("feature_leak", "feature_is_label"):
        return _of_feature(guard, kind, subject, titles)
    value = "undefined" if guard.value is None else _text(guard.value)
    detail = _WORDS[guard.rule].format(value, _text(guard.limit))
    task, _, metric = subject.partition(".")
    title = f"the {metric.upper()} of {titles[task]}" if metric else titles.get(task)
    return Reason(_REASONS[kind], subject or None, detail, title)


def _of_feature(guard: Guard, kind: str, subject: str, titles: Mapping[str, str]) -> Reason:
    feature, _, task = subject.rpartition(".")
    assert isinstance(guard.value, float), "a leak is measured"
    detail = (
        f"AUC {guard.value:.4f} for {titles.get(task, task)} by itself"
        if kind == "feature_leak"
        else f"equal to {titles.get(task, task)} on {100 * guard.value:.2f} % of the rows"
    )
    return Reason("feature_leak", feature, f"{detail}; gate.waive_leaks allows it")


def _at_least(name: str, value: float, limit: float) -> Guard:
    return Guard(name, value, limit, "at_least", value >= limit)


def _equal(name: str, value: str, limit: str) -> Guard:
    return Guard(name, value, limit, "equal", value == limit)


def span(period: Period) -> str:
    """Return a period as a guard holds it."""
    return f"{period.start} – {period.end}"


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
