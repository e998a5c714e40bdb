"""`shopguide gate audit`: what the gate can and cannot see, on the shop's own data or simulated."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID
from rich.table import Table

from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stderr,
    stdout,
)
from shopguide.files import require_folder
from shopguide.gate import Audit, audit, write_audit
from shopguide.gate.audit_result import Family, Nightly
from shopguide.spec import load_spec


def audit_command(
    challenger: Annotated[
        Path | None, typer.Option(help="Bundle, its λ solved; none: the spec's simulator.")
    ] = None,
    test_set: Annotated[
        Path | None,
        typer.Option("--test-set", "--data", help="Training set, or a Parquet file of its kind."),
    ] = None,
    spec: SpecPath = DEFAULT_SPEC,
    champion: Annotated[
        Path | None, typer.Option(help="Bundle to compare it with; none: gate.baseline.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory of audit.json and audit.html.")] = Path(
        "runs/audit"
    ),
    runs: Annotated[int, typer.Option(min=100, help="A/A relabellings of each kind.")] = 2000,
    challengers: Annotated[
        int, typer.Option(min=1, max=100, help="Challengers judged at once; 1 leaves that out.")
    ] = 5,
    nights: Annotated[
        int, typer.Option(min=1, max=1000, help="Runs of one champion; 1 leaves that out.")
    ] = 30,
    gain: Annotated[
        float, typer.Option(min=0.0001, help="Relative gain to state the days of traffic for.")
    ] = 0.01,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Measure how often the gate promotes by chance, and which gains it can see."""
    require_folder(out, "--out")
    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        rows: dict[str, TaskID] = {}

        def tell(kind: str, done: int, total: int) -> None:
            if kind not in rows:
                rows[kind] = bar.add_task(f"A/A runs, {kind}", total=total)
            bar.update(rows[kind], completed=done)

        found = audit(
            loaded,
            challenger,
            test_set,
            champion,
            runs=runs,
            challengers=challengers,
            nights=nights,
            wished_gain=gain,
            progress=tell,
        )
    write_audit(found, out)
    if as_json:
        print_json(found.to_json())
    else:
        _print_audit(found, out)


def _print_audit(found: Audit, out: Path) -> None:
    from shopguide.gate.wording import percent, share

    stdout.print(_false_promotions(found))
    stdout.print(
        f"a gate by the estimate alone would promote {share(found.false_by_estimate)}\n",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("planted gain", "promoted", "oracle"):
        table.add_column(title, justify="right")
    for point in found.power:
        table.add_row(percent(point.gain), share(point.power), share(point.oracle))
    stdout.print(table)
    stdout.print(_gains(found))
    if found.nightly is not None and found.nightly.season:
        stdout.print(_season(found.nightly))
    stdout.print(f"report    {out / 'audit.html'}", highlight=False, soft_wrap=True)


def _false_promotions(found: Audit) -> Table:
    from shopguide.gate.wording import count, level, share

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"A/A, at most {level(1 - found.confidence)} promised")
    for title in ("runs", "promoted", "95 % interval", "uncorrected"):
        table.add_column(title, justify="right")

    def add(name: str, kind: Audit | Family, uncorrected: str) -> None:
        low, high = kind.false_promotion_ci
        interval = f"{share(low)} to {share(high)}"
        table.add_row(name, count(kind.runs), share(kind.false_promotion), interval, uncorrected)

    add("one challenger", found, "")
    if found.several is not None:
        name = f"{found.several.members} challengers at once"
        add(name, found.several, share(found.several.uncorrected))
    if found.nightly is not None:
        name = f"{found.nightly.members} nights, {found.nightly.function}"
        add(name, found.nightly, share(found.nightly.uncorrected))
    return table


def _season(nightly: Nightly) -> Table:
    from shopguide.gate.wording import count, percent, share

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"gain of each of {nightly.members} nights", justify="right")
    for title in ("confidence sequence", "median night", "each for itself", "one test at the end"):
        table.add_column(title, justify="right")
    for point in nightly.season:
        night = "–" if point.night is None else count(point.night)
        rates = map(share, (point.sequence, point.spending, point.fixed))
        sequence, spending, fixed = rates
        table.add_row(percent(point.gain), sequence, night, spending, fixed)
    return table


def _gains(found: Audit) -> Table:
    from shopguide.gate.wording import days, percent

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"with power 80 %; the test period has {days(found.days)} days")
    table.add_column("least gain", justify="right")
    table.add_column(f"days for {percent(found.wished_gain)}", justify="right")
    kinds: list[tuple[str, Audit | Nightly]] = [("one comparison, the whole error", found)]
    if found.nightly is not None:
        kinds.append((f"first of {found.nightly.members} nights", found.nightly))
    for name, kind in kinds:
        needed = "–" if kind.days_needed is None else days(kind.days_needed)
        table.add_row(name, percent(kind.minimum_detectable_gain), needed)
    return table
