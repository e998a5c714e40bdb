"""What a target policy would have done where the log did what it did."""

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError
from shopguide.evaluation.lists import RankedLists, sums

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def ranking_target(request: Indices, position: Indices, scores: Floats, where: str) -> Floats:
    """Return the probability that a ranking puts each row where the log has it [N].

    Equal scores have a random order: n of them share n places. 1/n within those, 0 outside.

    Args:
        request: index of each row's request [N], 0 … R − 1.
        position: where the row was shown, from 1 [N].
        scores: of the ranking, finite [N].
        where: what messages call the log.

    Raises:
        InvalidDataError: a request's positions are not 1 … L, each once: its list is not whole.
    """
    by_place = np.lexsort((position, request))
    listed = request[by_place]
    first = np.concatenate(([True], listed[1:] != listed[:-1]))
    start = np.maximum.accumulate(np.where(first, np.arange(len(listed)), 0))
    expected = np.arange(len(listed)) - start + 1
    wrong = position[by_place] != expected
    if wrong.any():
        row = int(by_place[np.argmax(wrong)])
        raise InvalidDataError(
            f"{where}, column position, row {row + 1}",
            f"is {position[row]}, and {expected[np.argmax(wrong)]} is missing in its list",
            "Keep lists whole: every row of a request with its position, from 1",
        )
    lists = RankedLists.of(request, scores)
    above, size = lists.above[lists.run], lists.size[lists.run]
    place = position[lists.order]
    target = np.empty(len(scores))
    target[lists.order] = np.where((place > above) & (place <= above + size), 1 / size, 0.0)
    return target


def frequency_policy(
    context: Indices, action: Indices, *, contexts: int, actions: int
) -> tuple[Floats, Floats]:
    """Return how often each action was taken in each context: a policy read off its own log.

    Args:
        context: of each row of that log [M], such as the position.
        action: of each row [M].
        contexts: C.
        actions: A.

    Returns:
        π(a | c) [C, A], and the share of rows of each context [C].
    """
    counts = sums(context * actions + action, np.ones(len(action)), contexts * actions)
    table = counts.reshape(contexts, actions)
    of_context = table.sum(axis=1)
    policy = np.divide(
        table, of_context[:, None], out=np.zeros_like(table), where=of_context[:, None] > 0
    )
    return policy, of_context / max(len(action), 1)


def unsupported_share(policy: Floats, context: Indices, action: Indices) -> float:
    """Return the share of a target's decisions in pairs of context and action never logged.

    Args:
        policy: π(a | c) of the target [C, A].
        context: of each logged row [N].
        action: of each logged row [N].
    """
    contexts, actions = policy.shape
    seen = sums(context * actions + action, np.ones(len(action)), contexts * actions) > 0
    frequency = sums(context, np.ones(len(context)), contexts) / len(context)
    missing = np.where(seen.reshape(contexts, actions), 0.0, policy).sum(axis=1)
    return float(frequency @ missing)
