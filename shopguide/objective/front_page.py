"""`front.html`: the Pareto front on one self-contained page, for whoever owns the goals."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shopguide.files import write_text
from shopguide.objective.held_out import HeldOut
from shopguide.objective.solution import FrontPoint, Solution

_TICKS = 4  # about as many as a small plot has room for


@dataclass(frozen=True, slots=True)
class Axis:
    """A goal's change against the reference, onto 0–100.

    Args:
        goal: its name.
        title: what the page calls it.
        low: change at 0.
        high: change at 100.
        ticks: round changes inside.
    """

    goal: str
    title: str
    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, change: float) -> float:
        """Return a change's place on the axis, to two decimals."""
        return round(100 * (change - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True, slots=True)
class Panel:
    """Two goals against each other."""

    x: Axis
    y: Axis


def write_front(solution: Solution, path: str | Path, held_out: HeldOut | None = None) -> None:
    """Write the page: every pair of goals as a plot, and the front's points as a table.

    Args:
        solution: of a bundle.
        path: of the file.
        held_out: the chosen point on the test period, if it was asked for.
    """
    write_text(path, front_html(solution, held_out))


def front_html(solution: Solution, held_out: HeldOut | None = None) -> str:
    """Return the page: no script, no request, any text escaped."""
    axes = [_axis(goal, solution) for goal in solution.objective.goals]
    return (
        _environment()
        .get_template("front.html")
        .render(
            solution=solution,
            held_out=held_out,
            panels=[Panel(x, y) for x, y in itertools.combinations(axes, 2)],
            axes=axes,
            change=lambda point, goal: change(solution, point, goal),
            percent=percent,
        )
    )


def change(solution: Solution, point: FrontPoint, goal: str) -> float:
    """Return a goal's relative change against the reference, on validation."""
    return point.goals[goal] / solution.reference_goals[goal] - 1


def percent(value: float | None) -> str:
    """Return a change with its sign in percent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:+.2f} %"


def _axis(goal: str, solution: Solution) -> Axis:
    changes = [0.0, *(change(solution, point, goal) for point in solution.front)]
    low, high = min(changes), max(changes)
    room = 0.06 * (high - low) or 0.01
    low, high = low - room, high + room
    title = solution.objective.goals[goal].title or goal
    return Axis(goal, title, low, high, _round_ticks(low, high))


def _round_ticks(low: float, high: float) -> tuple[float, ...]:
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    steps: Sequence[float] = [power * factor for factor in (1, 2, 2.5, 5, 10)]
    step = next(step for step in steps if step >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(round(i * step, 12) for i in range(first, last + 1))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
