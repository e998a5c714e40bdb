"""An answer as files: off_policy.json and one self-contained page."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shopguide.evaluation.charts import figure, scale_top
from shopguide.evaluation.off_policy.answer import Answer
from shopguide.evaluation.off_policy.diagnostics import Diagnostics
from shopguide.evaluation.off_policy.estimate import OffPolicy
from shopguide.evaluation.off_policy.intervals import Estimate
from shopguide.evaluation.page import environment
from shopguide.files import json_text, write_texts

OFF_POLICY, PAGE = "off_policy.json", "off_policy.html"

ESTIMATORS = {
    "ips": (
        "IPS",
        "each outcome times its importance weight; unbiased, as wild as the weights",
    ),
    "snips": ("SNIPS", "the same over the weights that were drawn; calmer, hardly biased"),
    "clipped_ips": ("clipped IPS", "weights cut off; calmer, understates"),
    "clipped_snips": ("clipped SNIPS", "cut off and normalised; drawn towards what was logged"),
    "dr": ("DR", "a model's expectation, corrected by weighted misses; unbiased"),
    "switch_dr": ("SWITCH-DR", "corrected only up to a weight; beyond, as good as the model"),
    "logged": ("logged", "what the policy that ran brought, for comparison"),
}
"""Name and meaning of every estimator."""

CAVEAT = "The intervals of the clipped estimators and of SWITCH-DR do not know their bias."


@dataclass(frozen=True, slots=True)
class Whisker:
    """An interval in percent of the plot; None where it is not defined."""

    name: str
    value: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class Whiskers:
    """Intervals of one task on a scale from zero."""

    ticks: tuple[tuple[float, float], ...]
    rows: tuple[Whisker, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A bin of the histogram of weights: from and to, and its height in percent."""

    low: float
    high: float
    count: float
    height: float


def write_answer(answer: Answer, out: str | Path) -> None:
    """Write both files or none; off_policy.json comes last, and says that both are there.

    Args:
        answer: what to write.
        out: directory; an older answer in it is replaced, other files stay.
    """
    write_texts(out, {PAGE: html(answer), OFF_POLICY: json_text(answer.to_json())})


def html(answer: Answer) -> str:
    """Return the page: no script, no request, any text escaped."""
    first = next(iter(answer.tasks.values()), None)
    return (
        environment()
        .get_template("off_policy.html")
        .render(
            found=answer,
            diagnostics=None if first is None else first.diagnostics,
            bars=() if first is None else bars(first.diagnostics),
            estimators=ESTIMATORS,
            every=every,
            caveat=CAVEAT,
            whiskers={name: whiskers(every(found)) for name, found in answer.tasks.items()},
            figure=figure,
        )
    )


def every(found: OffPolicy) -> dict[str, Estimate]:
    """Return the estimates and, last, what was logged."""
    return found.estimates | {"logged": found.logged_value}


def whiskers(estimates: Mapping[str, Estimate]) -> Whiskers:
    """Return intervals on a common scale from zero."""
    ends = [x for e in estimates.values() for x in (e.value, e.upper) if math.isfinite(x)]
    high, ticks = scale_top(max(ends, default=0.0))

    def at(value: float) -> float | None:
        return round(100 * min(max(value / high, 0), 1), 2) if math.isfinite(value) else None

    rows = tuple(
        Whisker(name, at(e.value), at(e.lower), at(e.upper)) for name, e in estimates.items()
    )
    return Whiskers(ticks, rows)


def bars(found: Diagnostics) -> tuple[Bar, ...]:
    """Return the histogram of the weights above zero; heights are shares of the tallest."""
    tallest = float(found.counts.max(initial=0.0)) or 1.0
    edges = (10**found.edges).tolist()
    pairs = zip(edges[:-1], edges[1:], found.counts.tolist(), strict=True)
    return tuple(
        Bar(low, high, count, round(100 * count / tallest, 2)) for low, high, count in pairs
    )
