"""Geometry of the Pareto front: two goals a plot, as changes relative to one reference."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from shopguide.gate.charts import Scale, scale_over
from shopguide.gate.decision import Decision
from shopguide.gate.trade_off import TradeOff
from shopguide.gate.wording import percent

Point = tuple[float, float]

_PLOTS = 3  # pairs of goals that a page has room for


@dataclass(frozen=True, slots=True)
class Mark:
    """A point with a name and a shape of its own.

    Args:
        kind: champion, chosen or challenger.
        at: x and y in percent of the plot, y downwards.
        change: of both goals, relative to the reference.
    """

    kind: str
    label: str
    at: Point
    change: Point


@dataclass(frozen=True, slots=True)
class FrontPlot:
    """The front in two goals.

    Args:
        titles: of the goals, x first.
        scales: likewise.
        front: the points in percent of the plot, by rising x.
        line: whether the points follow one another: in two goals a front is a line.
        marks: what stands out, the last on top.
    """

    titles: tuple[str, str]
    scales: tuple[Scale, Scale]
    front: tuple[Point, ...]
    line: bool
    marks: tuple[Mark, ...]

    @property
    def description(self) -> str:
        """The plot in words, for a reader who does not see it."""
        places = "; ".join(
            f"{mark.label}: {percent(mark.change[0])} and {percent(mark.change[1])}"
            for mark in self.marks
        )
        return f"Pareto front of {self.titles[0]} and {self.titles[1]}, {places}"


def front_plots(decision: Decision) -> list[FrontPlot]:
    """Return the front for each pair of the heaviest goals; none without a front or with one goal.

    Args:
        decision: with a trade-off of its challenger.
    """
    found = decision.trade_off
    if found is None:
        return []
    known = [name for name in decision.goals if name in found.reference_goals]
    heaviest = sorted(known, key=lambda name: -decision.goals[name].weight)
    pairs = list(combinations(heaviest, 2))[:_PLOTS]
    return [_plot(decision, found, pair, line=len(known) == 2) for pair in pairs]


def _plot(decision: Decision, found: TradeOff, pair: tuple[str, str], *, line: bool) -> FrontPlot:
    front = sorted(_change(point, found, pair) for point in found.front)
    named = list(_named(decision, found, pair))
    everything = [*front, *(change for _, _, change in named), (0.0, 0.0)]
    x, y = (scale_over([point[axis] for point in everything]) for axis in (0, 1))

    def at(change: Point) -> Point:
        return x.at(change[0]), round(100 - y.at(change[1]), 2)

    return FrontPlot(
        titles=(decision.goals[pair[0]].title, decision.goals[pair[1]].title),
        scales=(x, y),
        front=tuple(map(at, front)),
        line=line,
        marks=tuple(Mark(kind, label, at(change), change) for kind, label, change in named),
    )


def _named(
    decision: Decision, found: TradeOff, pair: tuple[str, str]
) -> Iterator[tuple[str, str, Point]]:
    if found.champion is not None:
        yield "champion", "champion", _change(found.champion, found, pair)
    elif found.reference != "champion":
        yield "champion", found.reference, (0.0, 0.0)
    yield "chosen", "chosen λ, on validation", _change(found.front[found.chosen], found, pair)
    tested = [decision.goals[name].change for name in pair]
    if decision.optimism is not None and tested[0] is not None and tested[1] is not None:
        yield "challenger", "challenger, on test", (tested[0], tested[1])


def _change(goals: Mapping[str, float], found: TradeOff, pair: tuple[str, str]) -> Point:
    one, two = (goals[name] / found.reference_goals[name] - 1 for name in pair)
    return one, two
