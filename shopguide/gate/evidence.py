"""What one run adds to its champion's confidence sequence, from impressions that no run had."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.gate.arms import Arms, rankings
from shopguide.gate.delta import influences, relative_changes, values
from shopguide.gate.ledger import Evidence, Shown
from shopguide.gate.test_set import TestSet
from shopguide.objective.reading import instants_of
from shopguide.objective.replay import Requests
from shopguide.spec import Spec
from shopguide.spec.objective import Goal

Array = NDArray[np.float64]


def gather(
    spec: Spec,
    test: TestSet,
    champion: Array,
    challengers: Sequence[Array],
    after: datetime | None,
) -> Evidence | None:
    """Return what the fresh impressions of a test period say; None: there are none that say it.

    Test periods may overlap, and what two of them share would count twice. Several challengers add
    the mean of what each brings: the best, picked on these very outcomes, would be too good.

    Args:
        spec: reads the tasks and `objective`.
        test: N impressions with their outcomes.
        champion: score of each impression [N].
        challengers: likewise, C ≥ 1 of them.
        after: the last impression that earlier runs counted; None: this is the first.
    """
    fresh = _fresh(test, after)
    if not fresh.any():
        return None
    requests = test.requests
    if not fresh.all():
        table = test.table.filter(pa.array(fresh))
        requests = Requests.from_table(table, spec, where=str(test.path))
    if requests.users < 2:
        return None
    goals = spec.objective.goals
    each = [
        log_changes(rankings(requests, champion[fresh], scores[fresh], spec.objective), goals)
        for scores in challengers
    ]
    changes = np.mean([change for change, _ in each], axis=0)
    moved = np.mean([influence for _, influence in each], axis=0)
    shown = dict(zip(goals, map(_shown, changes, moved.T), strict=True))
    together = objective_of(changes, moved, goals)
    if together is None:
        return None
    defined = {name: one for name, one in shown.items() if one is not None}
    return Evidence(requests.users, _utc(test.last).isoformat(), together, defined)


def log_changes(arms: Arms, goals: Mapping[str, Goal]) -> tuple[Array, Array]:
    """Return log(F_c / F_r) of each goal [K], and what each user moves it, to first order [U, K].

    Exchanging the two rankings turns its sign, so it is not biased where they are alike; the
    relative change is, by half its variance, and a sequence adds that up night after night. Not
    finite for a goal that is zero in either arm.

    Args:
        arms: of the two rankings.
        goals: K goals.
    """
    found = values(arms.columns().sum(axis=0), arms.tasks, goals)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.log1p(relative_changes(found))
        moved: Array = influences(arms, found, goals) * (found[0] / found[1])
    return change, moved


def objective_of(changes: Array, moved: Array, goals: Mapping[str, Goal]) -> Shown | None:
    """Return Σ_k ω_k of the goals' changes: at most log J; None where a weighted goal has none.

    Args:
        changes: of each goal [K].
        moved: what each user moves them [U, K].
        goals: K goals.
    """
    weights = np.array([goal.weight for goal in goals.values()])
    counted = weights > 0
    return _shown(changes[counted] @ weights[counted], moved[:, counted] @ weights[counted])


def _shown(change: float, moved: Array) -> Shown | None:
    error = np.sqrt(len(moved) / (len(moved) - 1) * (moved**2).sum())
    if not (np.isfinite(change) and np.isfinite(error)):
        return None
    return Shown(float(change), float(error))


def _fresh(test: TestSet, after: datetime | None) -> NDArray[np.bool_]:
    if after is None:
        return np.ones(test.table.num_rows, dtype=np.bool_)
    times = instants_of(test.table, str(test.path))
    limit = np.datetime64(_utc(after).replace(tzinfo=None), "us")
    found: NDArray[np.bool_] = np.asarray(times.to_numpy(), dtype="datetime64[us]") > limit
    return found


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
