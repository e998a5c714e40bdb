"""Write an audit: audit.json and audit.html."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shopguide.files import json_text, write_texts
from shopguide.gate import wording
from shopguide.gate.audit_result import Audit, GoalPoint, Nightly, PowerPoint
from shopguide.gate.charts import Scale, scale_over
from shopguide.gate.figures import Figures
from shopguide.gate.power import POWER
from shopguide.gate.report import environment

_FAMILIES = (("several", "challengers at once"), ("nightly", "nights of one champion"))


@dataclass(frozen=True, slots=True)
class PowerPlot:
    """The power curve, gain to the right and power upwards, both from zero.

    Args:
        gains: scale of the gains.
        power: x and y of each point in percent, y downwards.
        oracle: likewise.
    """

    gains: Scale
    power: tuple[tuple[float, float], ...]
    oracle: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class SeasonPlot:
    """Power within a season of nights, as `PowerPlot`.

    Args:
        gains: scale of the gains that every challenger has.
        sequence: points of the confidence sequence.
        spending: likewise, each night for itself.
        fixed: likewise, one test at the end.
    """

    gains: Scale
    sequence: tuple[tuple[float, float], ...]
    spending: tuple[tuple[float, float], ...]
    fixed: tuple[tuple[float, float], ...]


def write_audit(audit: Audit, out: str | Path) -> None:
    """Write both files or none; audit.json comes last, and says that both are there."""
    write_texts(out, {"audit.html": audit_html(audit), "audit.json": json_text(audit.to_json())})


def audit_html(audit: Audit) -> str:
    """Return the audit as one self-contained page."""
    return (
        environment()
        .get_template("audit.html")
        .render(
            audit=audit,
            figures=Figures(audit.to_json()),
            wording=wording,
            plot=power_plot(audit.power, audit.false_promotion),
            goals=[(name, power_plot(found)) for name, found in audit.goal_power.items() if found],
            power=POWER,
            season=season_plot(audit.nightly) if audit.nightly else None,
            families=[(path, name) for path, name in _FAMILIES if getattr(audit, path)],
        )
    )


def power_plot(
    curve: Sequence[PowerPoint] | Sequence[GoalPoint], at_no_gain: float | None = None
) -> PowerPlot:
    """Return a power curve.

    Args:
        curve: rising gains, at least one.
        at_no_gain: rate at a gain of 0; None: the curve begins with its first gain.
    """
    wide = scale_over([0.0, *(point.gain for point in curve)])
    gains = Scale(0.0, wide.high, tuple(tick for tick in wide.ticks if tick >= 0))
    first = [] if at_no_gain is None else [(0.0, at_no_gain)]
    measured = [*first, *((point.gain, point.power) for point in curve)]
    oracle = [(point.gain, point.oracle) for point in curve]
    return PowerPlot(gains, _points(gains, measured), _points(gains, oracle))


def season_plot(nightly: Nightly) -> SeasonPlot | None:
    """Return the curves of a season of nights; None: it has none."""
    if not nightly.season:
        return None
    wide = scale_over([0.0, *(point.gain for point in nightly.season)])
    gains = Scale(0.0, wide.high, tuple(tick for tick in wide.ticks if tick >= 0))
    at = [(0.0, nightly.false_promotion), *((p.gain, p.sequence) for p in nightly.season)]
    return SeasonPlot(
        gains,
        _points(gains, at),
        _points(gains, [(point.gain, point.spending) for point in nightly.season]),
        _points(gains, [(point.gain, point.fixed) for point in nightly.season]),
    )


def _points(gains: Scale, points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    return tuple((2 * gains.at(gain), round(100 * (1 - power), 2)) for gain, power in points)
