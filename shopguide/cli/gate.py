"""`shopguide gate`: decide on a challenger, or audit the gate itself."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
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
from shopguide.errors import ShopguideError
from shopguide.gate import (
    Audit,
    Decision,
    Ledger,
    audit,
    decide,
    read_decision,
    read_ledger,
    replay,
    write_audit,
)
from shopguide.spec import Spec, load_spec

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Decide on a challenger, or audit the gate itself.",
)


@app.command("decide")
def decide_command(
    challenger: Annotated[
        list[Path],
        typer.Option(help="Bundle to judge, its λ solved; repeat to judge several at once."),
    ],
    test_set: Annotated[
        Path,
        typer.Option("--test-set", "--data", help="Training set, or a Parquet file of its kind."),
    ],
    spec: SpecPath = DEFAULT_SPEC,
    champion: Annotated[Path | None, typer.Option(help="Bundle in production, if any.")] = None,
    champion_version: Annotated[str | None, typer.Option(help="Its registry version.")] = None,
    out: Annotated[Path, typer.Option(help="Directory of decision.json and its reports.")] = Path(
        "decision"
    ),
    ledger: Annotated[
        Path | None,
        typer.Option(
            help="File of earlier looks at champions, which share the error; this one is added. "
            "Made where there is none."
        ),
    ] = None,
    registry: Annotated[
        bool, typer.Option("--registry", help="Read the earlier looks from the spec's registry.")
    ] = False,
    tried: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many candidates were compared on this test period, these included; more "
            "than are given here make the bounds wider.",
        ),
    ] = None,
    repeat: Annotated[
        Path | None,
        typer.Option(
            "--replay", help="decision.json to reach again, by its own terms instead of the spec's."
        ),
    ] = None,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Judge challengers on the test period: exit 0 promotes the best, 1 promotes none."""
    if repeat is not None:
        decision = replay(read_decision(repeat), challenger, test_set, out, champion=champion)
    else:
        loaded = load_spec(spec, profile=profile, overrides=overrides or [])
        known = _ledger(loaded, ledger, from_registry=registry)
        decision = decide(
            loaded,
            challenger,
            test_set,
            out,
            champion=champion,
            champion_version=champion_version,
            ledger=known,
            tried=tried,
        )
        if ledger is not None:
            known.with_look(decision.look).write(ledger)
    if as_json:
        print_json(decision.to_json())
    else:
        _print(decision, out)
    if not decision.promote:
        raise typer.Exit(1)


def _ledger(spec: Spec, path: Path | None, *, from_registry: bool) -> Ledger:
    if from_registry and path is not None:
        raise ShopguideError("--ledger", "stands beside --registry", "Give one of the two")
    if from_registry:
        from shopguide.registry import read_ledger as registered  # it loads MLflow

        return registered(spec)
    return read_ledger(path) if path is not None and path.exists() else Ledger()


@app.command("audit")
def audit_command(
    challenger: Annotated[Path, typer.Option(help="Bundle, its λ solved.")],
    test_set: Annotated[
        Path,
        typer.Option("--test-set", "--data", help="Training set, or a Parquet file of its kind."),
    ],
    spec: SpecPath = DEFAULT_SPEC,
    champion: Annotated[
        Path | None, typer.Option(help="Bundle to compare it with; none: gate.baseline.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory of audit.json and audit.html.")] = Path(
        "audit"
    ),
    runs: Annotated[int, typer.Option(min=100, help="A/A relabellings.")] = 2000,
    gain: Annotated[
        float, typer.Option(min=0.0001, help="Relative gain to state the days of traffic for.")
    ] = 0.01,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Measure how often the gate promotes by chance, and which gains it can see."""
    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    with Progress(console=stderr, transient=True) as bar:
        task = bar.add_task("A/A relabellings", total=runs)
        found = audit(
            loaded,
            challenger,
            test_set,
            champion,
            runs=runs,
            wished_gain=gain,
            progress=lambda done: bar.update(task, completed=done),
        )
    write_audit(found, out)
    if as_json:
        print_json(found.to_json())
    else:
        _print_audit(found, out)


def _print_audit(found: Audit, out: Path) -> None:
    from shopguide.gate.wording import days, level, percent, share

    low, high = (share(bound) for bound in found.false_promotion_ci)
    stdout.print(
        f"false promotions {share(found.false_promotion)} ({low} to {high}) in {found.runs:,} A/A "
        f"runs, promised at most {level(1 - found.confidence)}; by the estimate alone "
        f"{share(found.false_by_estimate)}",
        highlight=False,
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("planted gain", "promoted", "oracle"):
        table.add_column(title, justify="right")
    for point in found.power:
        table.add_row(percent(point.gain), share(point.power), share(point.oracle))
    stdout.print(table)
    stdout.print(
        f"least gain promoted 80 % of the time: {percent(found.minimum_detectable_gain)}",
        highlight=False,
    )
    if found.days_needed is not None:
        stdout.print(
            f"to show {percent(found.wished_gain)}: {days(found.days_needed)} days of this traffic "
            f"(the test period has {days(found.days)})",
            highlight=False,
            soft_wrap=True,
        )
    stdout.print(f"report    {out / 'audit.html'}", highlight=False, soft_wrap=True)


def _print(decision: Decision, out: Path) -> None:
    from rich.markup import escape

    from shopguide.gate.charts import forest_rows
    from shopguide.gate.wording import headline, percent, verdict_sentence

    colour = {"promote": "green", "refuse": "red", "invalid": "yellow"}[decision.verdict]
    stdout.print(f"[bold {colour}]{headline(decision)}[/]", highlight=False)
    stdout.print(escape(verdict_sentence(decision)), highlight=False)
    for reason in decision.because[1:]:
        stdout.print(f"  also: {escape(reason)}", highlight=False)
    if len(decision.candidates) > 1:
        stdout.print(_candidates(decision))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("against the champion" if decision.objective else "against the baseline")
    for title in ("change", "lower", "upper", "must be above"):
        table.add_column(title, justify="right")
    for row in forest_rows(decision):
        figures = (row.estimate, row.lower, row.upper, row.limit)
        table.add_row(escape(row.label), *map(percent, figures))
    stdout.print(table)
    stdout.print(f"report    {out / 'report.html'}", highlight=False, soft_wrap=True)
    stdout.print(f"decision  {out / 'decision.json'}", highlight=False, soft_wrap=True)


def _candidates(decision: Decision) -> Table:
    from rich.markup import escape

    from shopguide.gate.wording import percent

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("candidate")
    for title in ("J − 1", "lower"):
        table.add_column(title, justify="right")
    table.add_column("")
    for candidate in decision.candidates:
        shown = candidate.objective or candidate.baseline
        figures = (shown.estimate, shown.lower) if shown else (None, None)
        said = ", ".join(candidate.reasons) or "could be promoted"
        name = f"{candidate.model.version}{' (chosen)' if candidate.chosen else ''}"
        table.add_row(escape(name), *map(percent, figures), escape(said))
    return table
