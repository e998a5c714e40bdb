"""Geometry of the pages' charts, in percent of the plot; y goes downwards."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.calibration import Reliability
from shopguide.evaluation.money import DecileChart

Floats = NDArray[np.float64]
Pairs = tuple[tuple[float, float], ...]
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Plot:
    """Points or bars over a scale from zero.

    Args:
        high: value at 100 %.
        ticks: round values inside, and where they lie in percent.
        points: predicted and observed of each bin, in percent; observed from the top.
        before: likewise, of the predictions before calibration.
        values: the same as numbers, for a reader who does not see the plot.
    """

    high: float
    ticks: Pairs
    points: Pairs
    before: Pairs
    values: Pairs


def reliability_plot(curve: Reliability, before: Reliability | None = None) -> Plot:
    """Return a reliability curve: x predicted, y observed, both from 0 to the largest.

    Args:
        curve: of the predictions as they are served.
        before: of the same before calibration.
    """
    former = () if before is None else _pairs(before.predicted, before.observed)
    return _plot(_pairs(curve.predicted, curve.observed), former)


def decile_plot(chart: DecileChart) -> Plot:
    """Return a decile chart: heights of predicted and observed, both from 0 to the largest."""
    return _plot(_pairs(chart.predicted, chart.observed), ())


def scale_top(largest: float) -> tuple[float, tuple[tuple[float, float], ...]]:
    """Return the end of a scale from 0 over some value, and its round ticks with their places."""
    if not largest > 0:
        return 1.0, ((0.0, 0.0), (1.0, 100.0))
    high = largest * 1.05
    power = 10.0 ** math.floor(math.log10(high / _TICKS))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= high / _TICKS)
    number = math.floor(high / step)
    return high, tuple(
        (round(i * step, 12), round(100 * i * step / high, 2)) for i in range(number + 1)
    )


def figure(value: float | None, digits: int = 4) -> str:
    """Return a number as people read it; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}" if abs(value) < 1_000 else f"{value:,.0f}"
    return text.replace("-", "−")


def _pairs(x: Floats, y: Floats) -> Pairs:
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def _plot(values: Pairs, before: Pairs) -> Plot:
    largest = max((value for pair in (*values, *before) for value in pair), default=0.0)
    high, ticks = scale_top(largest)

    def places(pairs: Pairs) -> Pairs:
        return tuple((round(100 * a / high, 2), round(100 - 100 * b / high, 2)) for a, b in pairs)

    return Plot(high, ticks, places(values), places(before), values)
