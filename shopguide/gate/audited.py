"""What an audit works on: two rankings of one test period, the shop's own or a simulated one."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shopguide.errors import ShopguideError
from shopguide.features.periods import Periods
from shopguide.gate import models
from shopguide.gate.arms import Arms, rankings
from shopguide.gate.gains import baseline_scores
from shopguide.gate.test_set import read_test_set
from shopguide.gate.wording import popularity
from shopguide.logs.simulator import Shop, outcome_of, simulate
from shopguide.logs.splits import instants
from shopguide.objective.replay import Requests
from shopguide.spec import Spec
from shopguide.spec.simulator import Simulator

Array = NDArray[np.float64]

_SMALLEST = 1e-12  # keeps the logarithm of a worth finite
_BLUR = 0.5  # standard deviation of a simulated model's error in the logarithm of its score


@dataclass(frozen=True, slots=True)
class Audited:
    """Two rankings of one test period.

    Args:
        arms: what each brings, user by user.
        days: length of the period, from the first impression to the last.
        against: what the challenger is compared with, in words.
    """

    arms: Arms
    days: float
    against: str

    @property
    def users(self) -> int:
        """Number of users."""
        return len(self.arms.requests)

    @property
    def requests(self) -> int:
        """Number of requests."""
        return int(self.arms.requests.sum())


def own(
    spec: Spec, challenger: str | Path, test_set: str | Path, champion: str | Path | None
) -> Audited:
    """Rank a shop's test period by a challenger, and by its champion or the baseline feature.

    Args:
        spec: reads `tasks`, `objective` and `gate.baseline`.
        challenger: bundle, with fusion weights.
        test_set: directory of a training set, or a Parquet file of labelled impressions.
        champion: bundle; None or an empty directory: the baseline feature.

    Raises:
        ShopguideError: an input is missing or broken, or there is nothing to compare with.
    """
    judged, held = models.open_challenger(challenger, spec), models.open_champion(champion)
    feature = spec.gate.baseline
    if held is None and feature is None:
        raise ShopguideError(
            "spec gate.baseline",
            "there is neither a champion nor a baseline to compare with",
            "Give --champion, or name a numeric input as gate.baseline",
        )
    named = [feature] if feature else []
    test = read_test_set(test_set, spec, [*models.input_columns(judged, held), *named])
    if held is not None:
        reference, against = models.score(held, test.table).scores, "champion"
    else:
        assert feature is not None, "one of the two is there"
        reference, against = baseline_scores(test, feature), f"ranking by {popularity(feature)}"
    scores = models.score(judged, test.table).scores
    arms = rankings(test.requests, reference, scores, spec.objective)
    return Audited(arms, days_covered(test.first, test.last, spec), against)


def simulated(spec: Spec, data: Simulator) -> Audited:
    """Simulate the test period, and rank it by two models that know the truth equally well.

    Each model's score is the weighted sum of the true expectations, a goal over its mean, with an
    error of its own: log score = log truth + 0.5·N(0, 1).

    Args:
        spec: reads `split.test`, `tasks`, `objective` and `seed`.
        data: the spec's data section.

    Raises:
        ShopguideError: the test period lies outside the simulated days, or a task is of none of
            the simulator's outcomes.
    """
    shop = simulate(data)
    table = shop.labelled(spec)
    inside = _inside(table, spec)
    shown = table.filter(pa.array(inside))
    if not shown.num_rows:
        raise ShopguideError(
            "spec split.test",
            f"holds none of the simulator's {data.days} days from {data.start}",
            "Move it, or change data.start and data.days",
        )
    truth = np.log(np.maximum(_worth(shop, spec).ravel()[inside], _SMALLEST))
    stream = np.random.default_rng(spec.seed)
    scores = [truth + _BLUR * stream.normal(size=len(truth)) for _ in range(2)]
    requests = Requests.from_table(shown, spec, where="simulated test period")
    first, last = (pc.min_max(shown.column("shown_at"))[end].as_py() for end in ("min", "max"))
    arms = rankings(requests, scores[0], scores[1], spec.objective)
    return Audited(arms, days_covered(first, last, spec), "simulated champion")


def _worth(shop: Shop, spec: Spec) -> Array:
    """Return Σ_k ω_k · E[outcome_k] / mean; a ratio counts by its numerator [R, L]."""
    total = np.zeros(shop.lists.item.shape)
    for goal in spec.objective.goals.values():
        if goal.task in spec.tasks:
            outcome = outcome_of(spec.tasks[goal.task], f"tasks.{goal.task}")
            expected = shop.expected(outcome, examined=True)
            total += goal.weight * expected / expected.mean()
    return total


def _inside(table: pa.Table, spec: Spec) -> NDArray[np.bool_]:
    start, end = instants(spec.split)["test"]
    at = table.column("shown_at")
    found = pc.and_(
        pc.greater_equal(at, pa.scalar(start, at.type)), pc.less(at, pa.scalar(end, at.type))
    )
    return np.asarray(found.to_numpy(), dtype=np.bool_)


def days_covered(first: datetime, last: datetime, spec: Spec) -> float:
    """Return the days of the periods that hold the impressions, from the first to the last whole.

    A weekly shop's impressions all stand at the start of their week: the last one fills its week.
    """
    periods = Periods(spec.features.period, spec.features.timezone)
    start, end = periods.start(periods.index(first)), periods.start(periods.index(last) + 1)
    return (end - start).total_seconds() / 86_400
