"""Whether a decision follows from its own numbers: whoever edits one can seal it again."""

import math
from collections.abc import Iterator

from pydantic import ValidationError

from shopguide.gate.criteria import against_sequence, reasons_against, sharing
from shopguide.gate.decision import Candidate, Decision, Guard
from shopguide.gate.gains import Gains
from shopguide.gate.guards import LATENCY, span
from shopguide.gate.reasons import verdict_of
from shopguide.gate.sequence import sequence_of
from shopguide.gate.statistics import holm
from shopguide.spec.gate import Gate


def contradictions(decision: Decision) -> Iterator[str]:
    """Yield what a decision says that its own numbers do not, as "PLACE: what is wrong".

    The gains are taken as they are: only the bundles and the test set can say them again
    (`shopguide.gate.replay`). What follows from them (each pass, the reasons, the verdict and the
    choice among candidates) is reached anew. A latency was measured, and nothing can repeat it; it
    must be one.

    Args:
        decision: read from a file.
    """
    try:
        gate = Gate.model_validate(decision.terms["gate"])
    except (KeyError, ValidationError):
        yield "terms.gate: is no section of a spec of this version"
        return
    yield from _impossible(decision)
    yield from _passes(decision)
    yield from _guards(decision, gate)
    yield from _reasons(decision, gate)
    yield from _candidates(decision)


def _impossible(decision: Decision) -> Iterator[str]:
    counts, spending = decision.counts, decision.spending
    numbers = {"users": counts.users, "requests": counts.requests, "rows": counts.impressions}
    for name, value in (numbers | dict(counts.events)).items():
        if value < 0:
            yield f"counts: {value} {name}"
    if not 0 < decision.confidence < 1:
        yield f"confidence: is {decision.confidence:g}, must lie between 0 and 1"
    if decision.replicates < 1:
        yield f"replicates: is {decision.replicates}, must be at least 1"
    if decision.seed < 0:
        yield f"seed: is {decision.seed}, must not be negative"
    if decision.tried < len(decision.candidates):
        yield f"tried: is {decision.tried}, and {len(decision.candidates)} candidates are there"
    if spending is not None and not 0 <= spending.alpha <= spending.budget < 0.5:
        yield f"spending: takes {spending.alpha:g} of {spending.budget:g}"
    for number, candidate in enumerate(decision.candidates):
        if candidate.model.chosen_from < 1:
            yield f"candidates.{number}.model.chosen_from: is {candidate.model.chosen_from}"
        latency = candidate.latency_p99_ms
        if latency is not None and not latency > 0:
            yield f"candidates.{number}.latency_p99_ms: is {latency:g}, must be above 0"


def _passes(decision: Decision) -> Iterator[str]:
    total, baseline = decision.objective, decision.baseline
    if total and total.passes != (total.min_gain is not None and total.lower > total.min_gain):
        yield "objective.passes: does not follow from lower and min_gain"
    if baseline and baseline.passes != (baseline.lower > 0):
        yield "baseline.passes: does not follow from lower"
    for name, goal in decision.goals.items():
        follows = None if goal.lower is None else goal.lower > -goal.margin
        if goal.passes != follows:
            yield f"goals.{name}.passes: does not follow from lower and margin"
    p_values = [part.p for part in decision.slices if part.p is not None]
    adjusted = iter(holm(p_values))
    for number, part in enumerate(decision.slices):
        if part.p_holm != (None if part.p is None else next(adjusted)):
            yield f"slices.{number}.p_holm: does not follow from p"
        within = None if part.p_holm is None else part.p_holm <= 1 - decision.confidence
        if part.passes != within:
            yield f"slices.{number}.passes: does not follow from p_holm and confidence"


def _guards(decision: Decision, gate: Gate) -> Iterator[str]:
    test = decision.periods.get("test")
    if test is None:
        yield "periods: the test period is not there"
        return
    for number, guard in enumerate(decision.guards):
        kind, _, who = guard.name.partition(":")
        place = f"guards.{number}"
        if guard.passes and not _holds(guard, gate):
            yield f"{place}.passes: {guard.name} does not hold"
        if kind == "period":
            learnt = decision.periods.get(who)
            if learnt is None or (guard.value, guard.limit) != (span(test), span(learnt)):
                yield f"{place}: {guard.name} is not about the periods of the decision"
            elif guard.passes != (test.start >= learnt.end):
                yield f"{place}.passes: {guard.name} does not follow from the periods"


def _holds(guard: Guard, gate: Gate) -> bool:
    """Return whether a guard's value keeps its limit; a period is looked at apart."""
    value, limit = guard.value, guard.limit
    if guard.rule == "after":
        return True
    if guard.rule == "waived":
        return bool(gate.waive_leaks)
    if guard.rule == "equal":
        return value == limit
    if not isinstance(value, float | int) or not isinstance(limit, float | int):
        return False
    if guard.rule == "at_least":
        return value >= limit
    return value < limit if guard.rule == "below" else value <= limit


def _reasons(decision: Decision, gate: Gate) -> Iterator[str]:
    shared = sharing(
        *(decision.spending, gate.confidence),
        *(len(decision.candidates), decision.tried, decision.replicates),
    )
    sequence = sequence_of(gate, decision.ledger.looks, decision.look, decision.spending)
    if sequence != decision.sequence:
        yield "sequence: does not follow from the looks"
    titles = {name: goal.title for name, goal in decision.goals.items()}
    found = reasons_against(
        Gains(
            *(dict(decision.goals), decision.objective, decision.slices, decision.baseline),
            undefined=_undefined(decision),
        ),
        decision.guards,
        {name: task.title for name, task in decision.tasks.items()},
        gate,
        (*shared, *against_sequence(sequence, titles)),
        champion=decision.champion.checksum if decision.champion else None,
        challenger=decision.challenger.checksum,
    )
    if tuple(reason.text for reason in found) != decision.reasons:
        yield "reasons: do not follow from the numbers"
    if tuple(reason.sentence for reason in found) != decision.because:
        yield "because: does not follow from the numbers"
    if verdict_of(found) != decision.verdict:
        yield f"verdict: {decision.verdict} does not follow from the numbers"


def _undefined(decision: Decision) -> tuple[str, ...]:
    """Return the goals that the reasons name: no number of a decision without J holds them."""
    named = {reason.removeprefix("undefined_goal:") for reason in decision.reasons}
    found = tuple(name for name in decision.goals if name in named)
    return found or tuple(decision.goals)


def _candidates(decision: Decision) -> Iterator[str]:
    chosen = [one for one in decision.candidates if one.chosen]
    if len(chosen) != 1 or chosen[0] != max(decision.candidates, key=_rank):
        yield "candidates: the best one is not the one that is chosen"
        return
    one = chosen[0]
    same = (
        ("challenger", one.model == decision.challenger),
        ("objective", one.objective == decision.objective),
        ("baseline", one.baseline == decision.baseline),
        ("goals", one.goals == decision.goals),
        ("reasons", (one.reasons, one.because) == (decision.reasons, decision.because)),
    )
    yield from (f"{name}: not that of the chosen candidate" for name, fits in same if not fits)
    for guard in decision.guards:
        if guard.name == LATENCY and guard.value != one.latency_p99_ms:
            yield f"guards: {guard.name} is not that of the chosen candidate"


def _rank(candidate: Candidate) -> tuple[bool, float]:
    shown = candidate.objective or candidate.baseline
    return not candidate.reasons, -math.inf if shown is None else shown.lower
