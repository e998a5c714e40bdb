"""Ask a log what another policy would have brought."""

import logging
import time
from pathlib import Path
from typing import Literal

import numpy as np

from shopguide.bundle import Bundle, load_bundle
from shopguide.errors import ShopguideError
from shopguide.evaluation.evaluate import check_predictions
from shopguide.evaluation.off_policy import problems
from shopguide.evaluation.off_policy.answer import Answer, Question
from shopguide.evaluation.off_policy.decisions import Decisions, is_log, read_decisions
from shopguide.evaluation.off_policy.diagnostics import Reason
from shopguide.evaluation.off_policy.estimate import OffPolicy, estimate
from shopguide.evaluation.off_policy.logged import Logged
from shopguide.spec import Spec

Target = Literal["ranking", "uniform", "frequencies"]

_log = logging.getLogger(__name__)


def ask(
    data: str | Path,
    target: Target,
    *,
    bundle: str | Path | None = None,
    by: str | None = None,
    spec: Spec | None = None,
    split: str = "test",
    target_log: str | Path | None = None,
    question: Question | None = None,
) -> Answer:
    """Estimate each task's mean outcome of a decision under a target policy.

    Args:
        data: training set, a Parquet file of its kind, or a canonical log.
        target: `ranking` by a bundle; `uniform`; or the `frequencies` of another log.
        bundle: whose score ranks and whose predictions are the outcome model.
        by: task whose prediction ranks in place of the score.
        spec: says the tasks; None: the bundle's.
        split: of a training set.
        target_log: canonical log of the policy whose frequencies are the target.
        question: of the question; None: the defaults.

    Raises:
        ShopguideError: something that the target needs is not given or not in the data.
        InvalidDataError: propensities, positions, outcomes or weights that cannot be.
    """
    started, question = time.perf_counter(), question or Question()
    loaded = None if bundle is None else load_bundle(bundle)
    spec = _spec(spec, loaded)
    inputs = () if loaded is None or target != "ranking" else loaded.preprocessing.names
    decisions = read_decisions(data, spec, split=split, columns=inputs)
    tasks: dict[str, OffPolicy] = {}
    reasons, name = _no_propensity(decisions), str(target)
    assumptions: tuple[str, ...] = ()
    if decisions.propensity is not None:
        problem = _problem(decisions, target, loaded, by, spec, target_log, data)
        name, assumptions = problem.name, problem.assumptions
        tasks = {task: _answer(decisions, task, problem, question) for task in spec.quantities()}
        reasons = next(iter(tasks.values())).reasons
    _log.info(
        "off-policy: %d decisions, target %s, %s, %.1f s",
        len(decisions.request), name, "answered" if not reasons else reasons[0].code,
        time.perf_counter() - started,
    )  # fmt: skip
    return Answer(
        title=spec.title or spec.name,
        target=name,
        bundle=None if loaded is None else loaded.manifest.version,
        where=decisions.where,
        rows=len(decisions.request),
        requests=int(decisions.request.max()) + 1,
        question=question,
        titles={task: found.title or task for task, found in spec.quantities().items()},
        tasks=tasks,
        reasons=reasons,
        assumptions=assumptions,
        notes=list(spec.notes),
    )


def _spec(spec: Spec | None, loaded: Bundle | None) -> Spec:
    if spec is not None:
        return spec
    if loaded is None:
        raise ShopguideError("--spec", "neither a spec nor a bundle is given", "Give one of them")
    return loaded.spec


def _no_propensity(decisions: Decisions) -> tuple[Reason, ...]:
    if decisions.propensity is not None:
        return ()
    what = "no probability was logged of showing what was shown (column propensity)"
    return (Reason("no_propensity", what),)


def _problem(
    decisions: Decisions,
    target: Target,
    loaded: Bundle | None,
    by: str | None,
    spec: Spec,
    target_log: str | Path | None,
    data: str | Path,
) -> problems.Problem:
    if target == "uniform":
        return problems.uniform(decisions)
    if target == "frequencies":
        if target_log is None:
            what = "the frequencies of which log is not said"
            raise ShopguideError("--target-log", what, "Give the target policy's own log")
        return problems.frequencies(decisions, read_decisions(target_log, spec))
    if loaded is None or is_log(data):
        raise ShopguideError(
            "--bundle" if loaded is None else str(data),
            "a ranking needs a bundle, and the features of a training set",
            "Give --bundle and --training-set, or another --target",
        )
    predictions = loaded.predict(decisions.table)
    check_predictions(predictions, spec.quantities())
    if by is not None and by not in predictions:
        known = ", ".join(predictions)
        raise ShopguideError("--by", f"there is no task {by!r} among {known}", "Name one of these")
    scores = loaded.score(predictions) if by is None else predictions[by]
    name = f"bundle {loaded.manifest.version}, ranked by {by or 'its score'}"
    return problems.ranking(decisions, scores, predictions, name)


def _answer(
    decisions: Decisions, task: str, problem: problems.Problem, question: Question
) -> OffPolicy:
    assert decisions.propensity is not None, "asked for beforehand"
    rows = np.arange(len(decisions.request))
    logged = Logged.of(
        reward=decisions.outcomes[task],
        propensity=decisions.propensity,
        target=problem.target,
        unit=decisions.user if question.unit == "user" else rows,
        weight=decisions.weight,
        where=decisions.where,
    )
    return estimate(
        logged,
        None if problem.model is None else problem.model(task, logged),
        clip=question.clip,
        threshold=question.threshold,
        unsupported=problem.unsupported,
        method=question.method,
        confidence=question.confidence,
        replicates=question.replicates,
        seed=question.seed,
    )
