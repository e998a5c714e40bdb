"""`shopguide history`: champions, runs and decisions."""

from dataclasses import asdict

from rich.table import Table

from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stdout,
)


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
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("when (UTC)", "what", "version", "J − 1", "lower", "reasons"):
        table.add_column(title, justify="right" if title in ("J − 1", "lower") else "left")
    for entry in entries:
        table.add_row(
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.kind,
            f"{entry.version or ''}{' ← champion' if entry.is_champion else ''}",
            _percent(entry.gain),
            _percent(entry.lower),
            ", ".join(entry.reasons),
        )
    stdout.print(table, highlight=False)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.2f} %"
