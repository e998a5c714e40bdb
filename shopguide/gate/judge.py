"""From loaded bundles and a test period to the decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shopguide import __version__
from shopguide.bundle import Bundle
from shopguide.evaluation import TaskMetrics, evaluate
from shopguide.gate import gains, models
from shopguide.gate.case import Case
from shopguide.gate.caveats import warnings_about
from shopguide.gate.checks import checks, compatible, leaks_of
from shopguide.gate.criteria import against_sequence, reasons_against, sharing
from shopguide.gate.decision import SCHEMA, Candidate, Decision, Guard, TaskQuality
from shopguide.gate.decision_file import sealed
from shopguide.gate.evidence import gather
from shopguide.gate.gains import Compared, Gains, Level
from shopguide.gate.guards import LATENCY
from shopguide.gate.leaks import Leak
from shopguide.gate.ledger import Evidence, Look
from shopguide.gate.quality import task_quality
from shopguide.gate.reasons import Reason, verdict_of
from shopguide.gate.sequence import GainSequence, earlier_evidence, last_seen, sequence_of
from shopguide.gate.spending import Spending, error_of, replicates_for, spend
from shopguide.gate.trade_off import optimism, trade_off

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate with all that was found about it.

    Args:
        reasons: what stands against it; none: it could be promoted.
    """

    bundle: Bundle
    gains: Gains
    tasks: dict[str, TaskQuality]
    guards: tuple[Guard, ...]
    reasons: tuple[Reason, ...]

    @property
    def rank(self) -> tuple[bool, float]:
        """What the best candidate has most of: it could be promoted, and its lower bound."""
        shown = self.gains.objective or self.gains.baseline
        return not self.reasons, -np.inf if shown is None else shown.lower


def judge(case: Case) -> Decision:
    """Compare, guard, conclude."""
    spending = _spending(case)
    level = _level(case, spending)
    comparable = [all(g.passes for g in compatible(case, c)) for c in case.challengers]
    scored = [models.score(challenger, case.test.table) for challenger in case.challengers]
    champion = case.champion if any(comparable) else None
    held = models.score(champion, case.test.table) if champion else None
    compared = _compare(
        case, held.scores if held else None, [s.scores for s in scored], comparable, level
    )
    former = evaluate(case.test.requests, held.predictions, case.spec) if held else None
    leaks = leaks_of(case)
    shared = tuple(
        sharing(
            *(spending, case.spec.gate.confidence),
            *(len(case.challengers), case.tried, level.replicates),
        )
    )
    judged = [
        _judge_one(case, bundle, found, s.predictions, former if fits else None, leaks, shared)
        for bundle, found, s, fits in zip(
            case.challengers, compared.gains, scored, comparable, strict=True
        )
    ]
    look = _spent_look(case, judged, spending)
    if look is not None and spending is not None and spending.sequence and spending.alpha > 0:
        assert held is not None, "a look has compared with it"
        look = replace(look, evidence=_evidence(case, look, judged, held.scores, scored))
    sequence = sequence_of(case.spec.gate, case.ledger.looks, look, spending)
    judged = [_with_sequence(one, case, sequence) for one in judged]
    return _conclude(case, judged, compared.confidence, level, spending, look, sequence)


def _evidence(
    case: Case,
    look: Look,
    judged: Sequence[Judged],
    champion: Array,
    scored: Sequence[models.Scored],
) -> Evidence | None:
    """Return what the challengers add whose comparison can be trusted, whatever it says."""
    trusted = [
        found.scores
        for one, found in zip(judged, scored, strict=True)
        if one.gains.objective is not None
        and one.bundle.manifest.checksum != look.champion
        and verdict_of(one.reasons) != "invalid"
    ]
    if not trusted:
        return None
    after = last_seen(earlier_evidence(case.ledger.looks, look))
    return gather(case.spec, case.test, champion, trusted, after)


def _with_sequence(one: Judged, case: Case, sequence: GainSequence | None) -> Judged:
    held = case.champion
    if held is None or one.bundle.manifest.checksum == held.manifest.checksum:
        return one
    titles = {name: goal.title or name for name, goal in case.spec.objective.goals.items()}
    return replace(one, reasons=(*one.reasons, *against_sequence(sequence, titles)))


def _spending(case: Case) -> Spending | None:
    look, gate = case.look(), case.spec.gate
    if look is None:
        return None
    return spend(gate.alpha_spending, 1 - gate.confidence, case.ledger.looks, look)


def _level(case: Case, spending: Spending | None) -> Level:
    """Return the error of the candidates that are here: those tried elsewhere keep their share."""
    gate, here = case.spec.gate, len(case.challengers)
    alpha = error_of(spending, gate.confidence, here, case.tried)
    return Level(alpha, replicates_for(alpha, here, gate.replicates))


def _compare(
    case: Case,
    champion: Array | None,
    challengers: Sequence[Array],
    comparable: Sequence[bool],
    level: Level,
) -> Compared:
    spec, test = case.spec, case.test
    if case.champion is None:
        return gains.over_baseline(spec, test, challengers, level)
    fitting = [scores for scores, fits in zip(challengers, comparable, strict=True) if fits]
    if champion is None or not fitting:
        alone = tuple(gains.alone(spec, test, scores) for scores in challengers)
        return Compared(alone, 1 - level.alpha)
    found = gains.over_champion(spec, test, champion, fitting, level)
    rest = iter(found.gains)
    everyone = tuple(
        next(rest) if fits else gains.alone(spec, test, scores)
        for scores, fits in zip(challengers, comparable, strict=True)
    )
    return Compared(everyone, found.confidence)


def _judge_one(
    case: Case,
    bundle: Bundle,
    found: Gains,
    predictions: Mapping[str, Array],
    former: Mapping[str, TaskMetrics] | None,
    leaks: Sequence[Leak],
    shared: Sequence[Reason],
) -> Judged:
    tasks = task_quality(case.spec, case.test, predictions, former)
    guarded = tuple(checks(case, bundle, tasks, leaks))
    reasons = reasons_against(
        found,
        guarded,
        {name: task.title for name, task in tasks.items()},
        case.spec.gate,
        shared,
        champion=case.champion.manifest.checksum if case.champion else None,
        challenger=bundle.manifest.checksum,
    )
    return Judged(bundle, found, tasks, guarded, reasons)


def _conclude(
    case: Case,
    judged: Sequence[Judged],
    confidence: float,
    level: Level,
    spending: Spending | None,
    look: Look | None,
    sequence: GainSequence | None,
) -> Decision:
    best = max(judged, key=lambda one: one.rank)  # the first of equals
    objective, spec = best.gains.objective, case.spec
    decision = Decision(
        schema=SCHEMA,
        verdict=verdict_of(best.reasons),
        reasons=tuple(reason.text for reason in best.reasons),
        because=tuple(reason.sentence for reason in best.reasons),
        title=spec.title or spec.name,
        objective=objective,
        goals=best.gains.goals,
        slices=best.gains.slices,
        guards=best.guards,
        baseline=best.gains.baseline,
        tasks=best.tasks,
        champion=case.champion_entry(),
        challenger=models.entry(best.bundle, None),
        candidates=tuple(_candidate(one, chosen=one is best) for one in judged),
        tried=case.tried,
        test_set=case.test.checksum,
        periods=case.periods(best.bundle),
        counts=case.counts(),
        confidence=confidence,
        spending=spending,
        look=look,
        replicates=level.replicates,
        seed=spec.seed,
        trade_off=trade_off(best.bundle),
        optimism=optimism(
            best.bundle, spec.objective, case.champion, objective.estimate if objective else None
        ),
        terms={
            "objective": spec.objective.model_dump(mode="json"),
            "gate": spec.gate.model_dump(mode="json"),
        },
        notes=tuple(spec.notes),
        warnings=warnings_about(best.gains, best.tasks, best.guards, spec, spending),
        versions=_versions(),
        ledger=case.ledger,
        sequence=sequence,
    )
    return sealed(decision)


def _candidate(judged: Judged, *, chosen: bool) -> Candidate:
    measured = next((g.value for g in judged.guards if g.name == LATENCY), None)
    return Candidate(
        model=models.entry(judged.bundle, None),
        objective=judged.gains.objective,
        baseline=judged.gains.baseline,
        goals=judged.gains.goals,
        reasons=tuple(reason.text for reason in judged.reasons),
        because=tuple(reason.sentence for reason in judged.reasons),
        latency_p99_ms=measured if isinstance(measured, float) else None,
        chosen=chosen,
    )


def _spent_look(case: Case, judged: Sequence[Judged], spending: Spending | None) -> Look | None:
    """Return the ledger's entry: a run that compared nothing has spent nothing."""
    look = case.look()
    if look is None or spending is None or case.champion is None:
        return None
    champion = case.champion.manifest.checksum
    compared = [
        one
        for one in judged
        if one.gains.objective is not None and one.bundle.manifest.checksum != champion
    ]
    return replace(look, alpha=spending.taken) if compared else None


def _versions() -> dict[str, str]:
    return {
        "shopguide": __version__,
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
