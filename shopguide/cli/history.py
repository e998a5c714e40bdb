"""`shopguide history`: champions, runs and decisions."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stdout,
)

if TYPE_CHECKING:
    from shopguide.registry import HistoryEntry

_NARROW = 110
"""Columns of a terminal below which reasons stand on a line of their own."""


_WORDS = {"invalid": "no fair comparison"}
"""Kinds that a person reads by another name: the words of the report and of the terminal."""


def history(
    spec: SpecPath = DEFAULT_SPEC,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List what happened to the model, the newest first."""
    from shopguide.registry import history as read_history
    from shopguide.spec import load_spec

    entries = read_history(load_spec(spec, profile=profile, overrides=overrides or []))
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    if not entries:
        stdout.print("nothing yet: `python -m pipelines run` makes the first champion")
        return
    heads = ("when (UTC)", "what", "version", "J − 1", "lower", "against", "reasons")
    stdout.print(_row(*heads), style="dim", soft_wrap=True)
    for entry in entries:
        stdout.print(_entry(entry), highlight=False, markup=False, soft_wrap=True)


def _entry(entry: "HistoryEntry") -> str:
    gain, lower, against = entry.gain, entry.lower, "champion"
    if gain is None:
        gain, lower, against = entry.baseline_gain, entry.baseline_lower, "popularity"
    return _row(
        f"{entry.at:%Y-%m-%d %H:%M:%S}",
        _WORDS.get(entry.kind, entry.kind),
        f"{entry.version or '–'}{' ← champion' if entry.is_champion else ''}",
        _percent(gain),
        _percent(lower),
        "–" if gain is None else against,
        ", ".join(entry.reasons),
    )


def _row(when: str, *rest: str) -> str:
    """Return a line that a terminal of 80 columns holds; there, reasons stand below it."""
    what, version, gain, lower, against, reasons = rest
    room = 22 - max(len(what), 9)  # a long word takes from the version, which it has none of
    line = f"{when:<21}{what:<9} {version:<{room}} {gain:>10}{lower:>10}  {against:<10}"
    if not reasons:
        return line.rstrip()
    return f"{line}{reasons}" if stdout.width >= _NARROW else f"{line.rstrip()}\n  {reasons}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.2f} %"
