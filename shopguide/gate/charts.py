"""Geometry of the report's charts, in percent of the plot, so that they fit a phone unscaled."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shopguide.gate.decision import Decision, Period, Quality, TaskQuality
from shopguide.gate.wording import percent

_TICKS = 4  # about as many as a phone has room for


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale onto 0–100 %.

    Args:
        low: value at 0 %.
        high: value at 100 %.
        ticks: round values inside.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return a value's place in percent, to two decimals, kept inside the plot."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One interval of the forest plot.

    Args:
        label: what changes.
        path: where decision.json holds it.
        estimate_key: name of the estimate there.
        limit: value that `lower` must exceed; None: nothing is asked for.
        main: whether it is the objective.
    """

    label: str
    path: str
    estimate_key: str
    estimate: float
    lower: float
    upper: float
    limit: float | None
    passes: bool | None
    main: bool

    @property
    def description(self) -> str:
        """The row in words, for a reader who does not see the plot."""
        words = (
            f"{self.label}: {percent(self.estimate)}, between {percent(self.lower)} and "
            f"{percent(self.upper)}"
        )
        if self.limit is None or self.passes is None:
            return words
        return (
            f"{words}; must be above {percent(self.limit)}: {'holds' if self.passes else 'fails'}"
        )


@dataclass(frozen=True, slots=True)
class Span:
    """One period on the time line, in percent."""

    label: str
    period: Period
    start: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A reliability curve in the unit square, observed over predicted.

    Args:
        points: x and y in percent, y downwards.
    """

    label: str
    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class ReliabilityPlot:
    """One task's reliability curves on a common scale from zero."""

    title: str
    scale: Scale
    unit: str
    curves: tuple[Curve, ...]


def forest_rows(decision: Decision) -> list[ForestRow]:
    """Return J − 1 and every goal that has a change, against champion or baseline."""
    total = decision.objective or decision.baseline
    if total is None:
        return []
    bounds = (total.estimate, total.lower, total.upper, total.min_gain)
    path = "objective" if decision.objective else "baseline"
    whole = ForestRow("J − 1, the objective", path, "estimate", *bounds, total.passes, main=True)
    return [whole, *_goal_rows(decision)]


def forest_scale(rows: Iterable[ForestRow]) -> Scale:
    """Return a scale that holds every interval, every limit and zero."""
    marks = [0.0]
    for row in rows:
        marks += [row.lower, row.upper, *([row.limit] if row.limit is not None else [])]
    return scale_over(marks)


def scale_over(values: Sequence[float]) -> Scale:
    """Return a scale a little wider than the values, with round ticks."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.01
    low, high = low - room, high + room
    step = _round_step((high - low) / _TICKS)
    first = math.ceil(low / step)
    ticks = tuple(round(i * step, 12) for i in range(first, math.floor(high / step) + 1))
    return Scale(low, high, ticks)


def time_line(decision: Decision) -> list[Span]:
    """Return the periods that the models learnt from, and the test period after them."""
    words = {
        "champion": "champion learnt from",
        "challenger": "challenger learnt from",
        "test": "test",
    }
    present = {n: decision.periods[n] for n in words if n in decision.periods}
    seconds = {n: (_seconds(p.start), _seconds(p.end)) for n, p in present.items()}
    low = min(start for start, _ in seconds.values())
    high = max(end for _, end in seconds.values())
    scale = Scale(low, max(high, low + 1), ())
    return [
        Span(
            words[name],
            present[name],
            scale.at(start),
            round(max(scale.at(end) - scale.at(start), 0.5), 2),
            name,
        )
        for name, (start, end) in seconds.items()
    ]


def reliability_plots(decision: Decision) -> list[ReliabilityPlot]:
    """Return each task's curves, the champion's first so that the challenger's lies on top."""
    return [_reliability(task) for task in decision.tasks.values()]


def _reliability(task: TaskQuality) -> ReliabilityPlot:
    pairs: list[tuple[str, Quality]] = [("challenger", task.challenger)]
    if task.champion is not None:
        pairs.insert(0, ("champion", task.champion))
    largest = max(
        (max(b.predicted, b.observed) for _, quality in pairs for b in quality.reliability),
        default=0.0,
    )
    wide = scale_over([0.0, largest or 1.0])
    scale = Scale(0.0, wide.high, tuple(tick for tick in wide.ticks if tick >= 0))
    curves = tuple(
        Curve(
            role,
            role,
            tuple(
                (scale.at(b.predicted), round(100 - scale.at(b.observed), 2))
                for b in quality.reliability
            ),
        )
        for role, quality in pairs
    )
    return ReliabilityPlot(task.title, scale, task.unit, curves)


def _goal_rows(decision: Decision) -> Iterator[ForestRow]:
    for name, goal in decision.goals.items():
        first = decision.baseline.goals.get(name) if decision.baseline else None
        if first is not None:
            path, limit = f"baseline.goals.{name}", None
            change = (first.change, first.lower, first.upper)
        elif goal.change is not None and goal.lower is not None and goal.upper is not None:
            path, limit = f"goals.{name}", -goal.margin
            change = (goal.change, goal.lower, goal.upper)
        else:
            continue
        yield ForestRow(goal.title, path, "change", *change, limit, goal.passes, main=False)


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= step)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
