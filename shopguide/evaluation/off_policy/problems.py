"""Target policies that can be asked about: each says what it would have done at every decision."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import ShopguideError
from shopguide.evaluation.off_policy.decisions import Decisions, require_position
from shopguide.evaluation.off_policy.list_model import list_model
from shopguide.evaluation.off_policy.logged import Logged
from shopguide.evaluation.off_policy.outcome_model import (
    OutcomeModel,
    Policy,
    action_means,
    cross_fitted,
)
from shopguide.evaluation.off_policy.targets import (
    frequency_policy,
    ranking_target,
    unsupported_share,
)
from shopguide.evaluation.reading import codes

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

Model = Callable[[str, Logged], OutcomeModel]
"""From a task and its decisions to a model of its outcomes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A target policy on a log.

    Args:
        name: what it is called.
        target: π of every logged decision [N].
        model: of the outcomes, for the doubly robust estimators; None: there is none.
        unsupported: share of its decisions that were never logged; None: not known.
        assumptions: what must hold beside the propensities.
    """

    name: str
    target: Floats
    model: Model | None
    unsupported: float | None
    assumptions: tuple[str, ...]


LISTS = (
    "What an item brings at a place does not depend on what stands at the other places of its list."
)


def ranking(
    decisions: Decisions, scores: Floats, predictions: Mapping[str, Floats], name: str
) -> Problem:
    """Ask about the lists in falling order of scores.

    Args:
        decisions: whole lists with positions.
        scores: [N].
        predictions: expected outcome by task [N], of a model that did not see these rows.
        name: of the target.

    Raises:
        ShopguideError: no positions were logged, or every list has one row.
        InvalidDataError: lists are not whole.
    """
    if not decisions.lists:
        raise ShopguideError(
            decisions.where,
            "every request has one row, so there is no list that a model could order",
            "Ask about --target uniform or frequencies, or log whole lists",
        )
    position = require_position(decisions, "a ranking")
    target = ranking_target(decisions.request, position, scores, decisions.where)

    def model(task: str, logged: Logged) -> OutcomeModel:
        return list_model(logged, decisions.request, position, scores, predictions[task])

    return Problem(name, target, model if predictions else None, None, (LISTS,))


def uniform(decisions: Decisions) -> Problem:
    """Ask about chance: lists in random order, or of single decisions any item of the log alike.

    Args:
        decisions: whole lists with positions, or one row a request.
    """
    if decisions.lists:
        return ranking(decisions, np.zeros(len(decisions.request)), {}, "random order")
    (action,), names = codes([decisions.item])
    each = np.full((1, len(names)), 1 / len(names))
    nowhere = np.zeros(len(action), dtype=np.int64)
    return _by_context(decisions, action, nowhere, each, "uniform over the items")


def frequencies(decisions: Decisions, other: Decisions) -> Problem:
    """Ask about the policy of another log, read off how often it showed an item at a position.

    Args:
        decisions: one row a request, with positions.
        other: log of the target policy, likewise.

    Raises:
        ShopguideError: lists, no positions, or the other log has an item or a position that this
            one lacks in name.
    """
    if decisions.lists or other.lists:
        raise ShopguideError(
            decisions.where,
            "a request has several rows, and frequencies are of single decisions",
            "Ask about --target ranking",
        )
    here, there = (require_position(log, "a policy by position") for log in (decisions, other))
    (action, taken), names = codes([decisions.item, other.item])
    contexts = int(max(here.max(), there.max()))
    policy, _ = frequency_policy(there - 1, taken, contexts=contexts, actions=len(names))
    absent = np.setdiff1d(here, there)
    if len(absent):
        raise ShopguideError(
            other.where,
            f"shows nothing at position {absent[0]}, where {decisions.where} shows items",
            "Give a log of the same positions",
        )
    return _by_context(decisions, action, here - 1, policy, f"frequencies of {other.where}")


def _by_context(
    decisions: Decisions, action: Indices, context: Indices, policy: Floats, name: str
) -> Problem:
    """Return the problem of a policy π(a | c) [C, A]; its model is each action's mean."""

    def at(rows: Indices) -> Floats:
        found: Floats = policy[context[rows]]
        return found

    everywhere: Policy = at

    def model(task: str, logged: Logged) -> OutcomeModel:
        del task  # its outcomes are in `logged`
        return cross_fitted(
            logged, action, everywhere, action_means(logged, action, policy.shape[1])
        )

    return Problem(
        name,
        policy[context, action],
        model,
        unsupported_share(policy, context, action),
        (f"{decisions.where} holds every item that the shop could have shown.",),
    )
