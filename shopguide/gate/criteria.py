"""The criteria of a promotion, on numbers alone."""

from collections.abc import Iterator, Mapping, Sequence

from shopguide.gate import guards
from shopguide.gate.decision import (
    BaselineChange,
    GoalChange,
    Guard,
    ObjectiveChange,
    SliceChange,
)
from shopguide.gate.gains import Gains
from shopguide.gate.reasons import NO_TRUST, Reason
from shopguide.gate.sequence import GainSequence
from shopguide.gate.spending import Spending, can_show, error_of, least_error
from shopguide.gate.wording import percent
from shopguide.spec.gate import Gate


def reasons_against(
    found: Gains,
    guarded: Sequence[Guard],
    titles: Mapping[str, str],
    gate: Gate,
    shared: Sequence[Reason],
    *,
    champion: str | None,
    challenger: str,
) -> tuple[Reason, ...]:
    """Return what stands against promoting a challenger; nothing: promote.

    Args:
        found: what it gains.
        guarded: every guard of it.
        titles: what a reader calls each task.
        gate: reads `min_gain`, `floors` and `baseline`.
        shared: what stands in the way of any challenger; see `sharing`.
        champion: checksum of the champion; None: there is none.
        challenger: checksum of the challenger.
    """
    if champion is None:
        named = {name: found.goals[name].title for name in found.undefined}
        return (*first_champion(found.baseline, gate, guarded, titles, named), *shared)
    same = champion == challenger
    reasons = against_champion(
        found.objective, found.goals, found.slices, guarded, titles, identical=same
    )
    return tuple(reasons) if same else (*reasons, *shared)


def against_champion(
    objective: ObjectiveChange | None,
    goals: Mapping[str, GoalChange],
    slices: Sequence[SliceChange],
    guarded: Sequence[Guard],
    titles: Mapping[str, str],
    *,
    identical: bool,
) -> list[Reason]:
    """Return what stands against replacing the champion; nothing: promote.

    Args:
        objective: J − 1; None where it has no value.
        goals: each goal's change.
        slices: each goal's change within each slice.
        guarded: every guard.
        titles: what a reader calls each task.
        identical: whether the challenger is the champion, byte for byte.
    """
    reasons = [guards.reason_of(guard, titles) for guard in guarded if not guard.passes]
    if identical:
        return [Reason("identical"), *reasons]
    reasons += _undefined(goals) if objective is None and not _broken(reasons) else []
    if objective is not None:
        reasons += _gain(objective)
        reasons += _goals(goals)
        reasons += _slices(slices, goals)
    return _trust_first(reasons)


def first_champion(
    baseline: BaselineChange | None,
    gate: Gate,
    guarded: Sequence[Guard],
    titles: Mapping[str, str],
    undefined: Mapping[str, str],
) -> list[Reason]:
    """Return what stands against a first champion.

    Args:
        baseline: the comparison with popularity; None where the spec names none or J has no value.
        gate: reads `min_gain`, `floors` and `baseline`.
        guarded: every guard, the floors among them.
        titles: what a reader calls each task.
        undefined: title of each goal that is zero for the baseline, by name.
    """
    reasons = [guards.reason_of(guard, titles) for guard in guarded if not guard.passes]
    if gate.min_gain is None:
        reasons.append(Reason("no_min_gain"))
    if not gate.floors:
        reasons.append(Reason("no_floors"))
    if gate.baseline is None:
        reasons.append(Reason("no_baseline"))
    elif baseline is None:
        detail = "take a longer test period, drop the goal, or name another gate.baseline"
        reasons += [Reason("undefined_goal", n, detail, t) for n, t in undefined.items()]
    elif not baseline.passes:
        detail = (
            f"lower bound {percent(baseline.lower)} against {baseline.feature}, must be above 0"
        )
        reasons.append(Reason("baseline_not_beaten", detail=detail))
    return _trust_first(reasons)


def sharing(
    spending: Spending | None, confidence: float, here: int, tried: int, replicates: int
) -> Iterator[Reason]:
    """Yield what stands in the way of any challenger: no error left, or too little to show.

    Args:
        spending: of the champion's error; None without a champion.
        confidence: `gate.confidence`.
        here: candidates that are judged.
        tried: candidates that were compared on the test period, these included.
        replicates: of the bootstrap.
    """
    if spending is not None and spending.alpha == 0:
        yield Reason("no_error_left", detail=_spent(spending))
        return
    alpha = error_of(spending, confidence, here, tried)
    if not can_show(alpha, replicates, here):
        least = least_error(replicates, here)
        detail = (
            f"{alpha:.3g} for {here} of {tried} candidates, and {replicates:,} replicates show "
            f"{least:.3g} at the least; compare fewer, or set gate.replicates to "
            f"{replicates * least / alpha:,.0f}"
        )
        yield Reason("error_too_small", detail=detail)


def against_sequence(sequence: GainSequence | None, titles: Mapping[str, str]) -> Iterator[Reason]:
    """Yield what the runs together say against a promotion.

    Args:
        sequence: state after this run; None: the spec asks for none.
        titles: what a reader calls each goal.
    """
    if sequence is None:
        return
    if not sequence.fresh:
        yield Reason("nothing_new", detail="no fair comparison on impressions that are new to it")
    over = f"over {sequence.runs} run{'' if sequence.runs == 1 else 's'}"
    total = sequence.objective
    if total is not None and total.least is not None and not total.passes:
        detail = f"lower bound {percent(total.lower)} {over}, must be above {percent(total.least)}"
        yield Reason("sequence_gain_not_shown", detail=detail)
    for name, goal in sequence.goals.items():
        if goal.least is not None and not goal.passes:
            detail = (
                f"lower bound {percent(goal.lower)} {over}, must be above {percent(goal.least)}"
            )
            yield Reason("sequence_goal_may_lose", name, detail, titles.get(name, name))


def _spent(spending: Spending) -> str:
    of = f" of {spending.horizon}" if spending.horizon else ""
    return (
        f"run {spending.look}{of} by {spending.function}, {spending.spent:.4g} of "
        f"{spending.budget:.4g} spent before"
    )


def _gain(objective: ObjectiveChange) -> Iterator[Reason]:
    if objective.min_gain is None:
        yield Reason("no_min_gain")
    elif not objective.passes:
        asked = percent(objective.min_gain)
        detail = f"lower bound {percent(objective.lower)}, must be above {asked}"
        yield Reason("gain_not_shown", detail=detail)


def _goals(goals: Mapping[str, GoalChange]) -> Iterator[Reason]:
    for name, goal in goals.items():
        if goal.lower is not None and not goal.passes:
            detail = f"lower bound {percent(goal.lower)}, must be above {percent(-goal.margin)}"
            yield Reason("goal_may_lose", name, detail, goal.title)


def _slices(slices: Sequence[SliceChange], goals: Mapping[str, GoalChange]) -> Iterator[Reason]:
    for part in slices:
        if part.passes is False:
            where = f"in {part.column}={part.value}"
            subject, title = f"{part.goal} {where}", f"{goals[part.goal].title} {where}"
            yield Reason("slice_may_lose", subject, f"adjusted p {part.p_holm:.3f}", title)


def _undefined(goals: Mapping[str, GoalChange]) -> Iterator[Reason]:
    for name, goal in goals.items():
        if goal.change is None:
            detail = "take a longer test period, or drop the goal"
            yield Reason("undefined_goal", name, detail, goal.title)


def _broken(reasons: Sequence[Reason]) -> bool:
    return any(reason.code.startswith("incompatible") for reason in reasons)


def _trust_first(reasons: Sequence[Reason]) -> list[Reason]:
    return sorted(reasons, key=lambda reason: reason.code not in NO_TRUST)
