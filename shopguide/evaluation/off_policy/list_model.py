"""What a model of the items expects of whole lists, position by position."""

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.lists import RankedLists, sums
from shopguide.evaluation.off_policy.logged import Logged
from shopguide.evaluation.off_policy.outcome_model import OutcomeModel, folds_of

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def list_model(
    logged: Logged,
    request: Indices,
    position: Indices,
    scores: Floats,
    expected: Floats,
    *,
    folds: int = 5,
    seed: int = 0,
) -> OutcomeModel:
    """Turn a prediction for each item of a list into one for each of its places.

        q(j at k) = c_k · p_j        c_k = Σ s r / Σ s p  over the rows logged at k, other folds

    At place k the target puts an item of the run of equal scores that covers k, each alike.

    Args:
        logged: decisions: one a place of a list.
        request: index of each row's list [N].
        position: place where the row was shown, 1 … L, each once a list [N].
        scores: by which the target ranks [N].
        expected: p, outcome that a model expects of the row's item, blind to places [N]. It must
            not have been fitted on these rows.
        folds: of the factors c.
        seed: of the draw of the folds.
    """
    lists = RankedLists.of(request, scores)
    mean = lists.by_run(expected) / lists.size
    first = np.concatenate(([0], np.cumsum(np.bincount(request))[:-1]))
    at_place = mean[lists.run[first[request] + position - 1]]
    factor = _factors(logged, position, expected, folds_of(logged, folds, seed))
    return OutcomeModel(factor * expected, factor * at_place)


def _factors(logged: Logged, position: Indices, expected: Floats, fold: Indices) -> Floats:
    """Return c at each row's position, from the rows of the other folds [N]."""
    parts, places = int(fold.max()) + 1, int(position.max()) + 1
    cell, size = fold * places + position, parts * places
    seen = sums(cell, logged.weight * logged.reward, size).reshape(parts, places)
    foretold = sums(cell, logged.weight * expected, size).reshape(parts, places)
    others = seen.sum(axis=0) - seen, foretold.sum(axis=0) - foretold  # [folds, places] each
    factor = np.divide(*others, out=np.ones_like(seen), where=others[1] > 0)
    found: Floats = factor[fold, position]
    return found
