"""Ask a log what another policy would have brought."""

import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from shopguide.bundle import Bundle, load_bundle
from shopguide.errors import ShopguideError
from shopguide.evaluation.evaluate import check_predictions
from shopguide.evaluation.off_policy import problems
from shopguide.evaluation.off_policy.decisions import Decisions, is_log, read_decisions
from shopguide.evaluation.off_policy.diagnostics import Reason, statement
from shopguide.evaluation.off_policy.estimate import OffPolicy, estimate
from shopguide.evaluation.off_policy.intervals import Method
from shopguide.evaluation.off_policy.logged import Logged
from shopguide.evaluation.task_metrics import as_lists, finite
from shopguide.spec import Spec

FORMAT = 1
"""Version of off_policy.json."""

Target = Literal["ranking", "uniform", "frequencies"]
Unit = Literal["user", "row"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """How the question is put.

    Args:
        unit: what is independent.
        clip: bound of the weights of the clipped estimators.
        threshold: weight above which SWITCH-DR trusts the model alone.
        method: of the intervals.
        confidence: of the intervals, two-sided.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """

    unit: Unit = "user"
    clip: float = 10.0
    threshold: float = 10.0
    method: Method = "bootstrap"
    confidence: float = 0.95
    replicates: int = 2000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the log says.

    Args:
        title: of the shop.
        target: name of the policy that is asked about.
        bundle: version, where the target is a bundle's.
        where: what was read.
        rows: decisions.
        requests: of the log.
        question: of the question.
        titles: of the tasks.
        tasks: estimates by task; empty where there are no propensities.
        reasons: why the logs cannot answer.
        assumptions: what must hold beside the propensities.
        notes: limits of the data.
    """

    title: str
    target: str
    bundle: str | None
    where: str
    rows: int
    requests: int
    question: Question
    titles: dict[str, str]
    tasks: dict[str, OffPolicy]
    reasons: tuple[Reason, ...]
    assumptions: tuple[str, ...]
    notes: list[str]

    @property
    def answers(self) -> bool:
        """Whether the log can answer."""
        return not self.reasons

    @property
    def statement(self) -> str:
        """One plain sentence."""
        return statement(self.reasons)

    def to_json(self) -> dict[str, object]:
        """Return off_policy.json: numbers that are not defined are null."""
        first = next(iter(self.tasks.values()), None)
        return {
            "format": FORMAT,
            "title": self.title,
            "target": self.target,
            "bundle": self.bundle,
            "data": {"path": self.where, "rows": self.rows, "requests": self.requests},
            "question": asdict(self.question),
            "answers": self.answers,
            "statement": self.statement,
            "reasons": [asdict(reason) for reason in self.reasons],
            "diagnostics": None if first is None else _diagnostics(first),
            "tasks": {name: _estimates(found) for name, found in self.tasks.items()},
            "assumptions": list(self.assumptions),
            "notes": self.notes,
        }


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


def _estimates(found: OffPolicy) -> dict[str, object]:
    every = found.estimates | {"logged": found.logged_value}
    return {
        name: {field: finite(value) for field, value in asdict(one).items()}
        for name, one in every.items()
    }


def _diagnostics(found: OffPolicy) -> dict[str, object]:
    fields = asdict(found.diagnostics)
    histogram = {name: fields.pop(name) for name in ("edges", "counts")}
    shown = {n: finite(v) if isinstance(v, float) else v for n, v in fields.items()}
    return shown | {"ess_share": found.diagnostics.ess_share, "histogram": as_lists(histogram)}
