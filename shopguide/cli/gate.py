"""`shopguide gate`: decide on a challenger, or audit the gate itself."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from shopguide.cli._champion import NONE, Champion, Held, champion_of
from shopguide.cli.audit import audit_command
from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    refuse_ignored,
    stdout,
    verdict_of_errors,
)
from shopguide.errors import ShopguideError
from shopguide.files import require_file, require_folder
from shopguide.gate import (
    Decision,
    Ledger,
    decide,
    read_decision,
    read_ledger,
    replay,
)
from shopguide.spec import Spec, load_spec

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Decide on a challenger, or audit the gate itself.",
)

_TERMS = ("spec", "champion_version", "ledger", "registry", "tried", "overrides", "profile")
"""Parameters that a decision holds itself."""


@app.command("decide")
def decide_command(
    context: typer.Context,
    challenger: Annotated[
        list[Path],
        typer.Option(help="Bundle to judge, its λ solved; repeat to judge several at once."),
    ],
    test_set: Annotated[
        Path,
        typer.Option("--test-set", "--data", help="Training set, or a Parquet file of its kind."),
    ],
    spec: SpecPath = DEFAULT_SPEC,
    champion: Champion = None,
    champion_version: Annotated[str | None, typer.Option(help="Its registry version.")] = None,
    out: Annotated[Path, typer.Option(help="Directory of decision.json and its reports.")] = Path(
        "runs/decision"
    ),
    ledger: Annotated[
        Path | None,
        typer.Option(
            help="File of earlier looks at champions, which share the error; this one is added. "
            "Made where there is none."
        ),
    ] = None,
    registry: Annotated[
        bool,
        typer.Option(
            "--registry",
            help="Read the earlier looks from the spec's registry, as when the champion is its.",
        ),
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
    with verdict_of_errors(as_json=as_json):
        require_folder(out, "--out")
        if repeat is not None:
            refuse_ignored(context, _TERMS, "with --replay, which repeats a decision as it was")
            held = None if champion == NONE else champion
            decision = replay(read_decision(repeat), challenger, test_set, out, champion=held)
        else:
            loaded = load_spec(spec, profile=profile, overrides=overrides or [])
            with champion_of(loaded, champion) as found:
                known = _ledger(loaded, ledger, found, from_registry=registry)
                decision = decide(
                    loaded,
                    challenger,
                    test_set,
                    out,
                    champion=found.path,
                    champion_version=champion_version or found.version,
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


def _ledger(spec: Spec, path: Path | None, champion: Held, *, from_registry: bool) -> Ledger:
    """Read the earlier looks; a champion of the registry brings its own, if no file is given."""
    if from_registry and path is not None:
        raise ShopguideError("--ledger", "stands beside --registry", "Give one of the two")
    if path is not None:
        require_file(path, "--ledger")
    if from_registry or (champion.registered and path is None):
        from shopguide.registry import read_ledger as registered  # it loads MLflow

        return registered(spec)
    return read_ledger(path) if path is not None and path.exists() else Ledger()


app.command("audit")(audit_command)


def _print(decision: Decision, out: Path) -> None:
    from rich.markup import escape

    from shopguide.gate.charts import forest_rows
    from shopguide.gate.wording import choice_sentences, headline, percent, verdict_sentence

    colour = {"promote": "green", "refuse": "red", "invalid": "yellow"}[decision.verdict]
    stdout.print(f"[bold {colour}]{headline(decision)}[/]", highlight=False)
    stdout.print(escape(verdict_sentence(decision)), highlight=False)
    for reason in decision.because[1:]:
        stdout.print(f"  also: {escape(reason)}", highlight=False)
    for sentence in choice_sentences(decision):
        stdout.print(escape(sentence), highlight=False)
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
