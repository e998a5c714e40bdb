"""`shopguide init`: a shop's files → a spec that runs."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from shopguide.cli.common import AsJson, print_json, stderr, stdout
from shopguide.errors import ShopguideError


def init(
    exports: Annotated[
        list[str],
        typer.Argument(
            help="Files or quoted globs of events, items and users: CSV, TSV, Parquet, JSON lines; "
            ".gz, .zst.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Spec to write; none: NAME.yaml in this folder.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the spec; none: the file's.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a spec that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read a shop's files and write a spec that runs, with the reason for every guess.

    Nothing is asked: what the files do not say for certain is chosen, marked GUESS in the spec, and
    told as a warning.
    """
    from shopguide.onboarding import propose

    if out is not None:
        _refuse_to_replace(out, force=force)
    with stderr.status("looking at the files") as status:
        proposal = propose(exports, name=name, say=status.update)
    path = out or Path(f"{proposal.name}.yaml")
    _refuse_to_replace(path, force=force)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_schema_line(path) + proposal.text, encoding="utf-8")
    unsure = [guess for guess in proposal.guesses if not guess.sure]
    if as_json:
        print_json(
            {
                "spec": str(path),
                "name": proposal.name,
                "files": [asdict(file) for file in proposal.files],
                "guesses": [asdict(guess) for guess in proposal.guesses],
                "warnings": [f"{g.field} {g.value}: {g.why}" for g in unsure],
                "log": asdict(proposal.summary),
            }
        )
        return
    for file in proposal.files:
        stdout.print(f"{file.path}: {file.why}", highlight=False, soft_wrap=True, markup=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "is", "because"):
        table.add_column(heading, overflow="fold")
    for guess in proposal.guesses:
        mark = "" if guess.sure else "[yellow]?[/]"
        table.add_row(mark, *(_plain(text) for text in (guess.field, guess.value, guess.why)))
    stdout.print(table, highlight=False)
    rows = ", ".join(f"{number:,} {what}" for what, number in proposal.summary.rows.items())
    stdout.print(f"tried on the whole log: {rows}", highlight=False, soft_wrap=True)
    if unsure:
        stdout.print(
            f"[yellow]{len(unsure)} guesses are not certain[/] (?): the spec marks them GUESS",
            highlight=False,
        )
    stdout.print(f"→ {path}", highlight=False, soft_wrap=True)
    stdout.print(f"next: python -m pipelines run --spec {path}", highlight=False, soft_wrap=True)


def _schema_line(path: Path) -> str:
    """Return the comment by which editors find the schema, where one lies beside the spec."""
    beside = (path.parent / "spec.schema.json").is_file()
    return "# yaml-language-server: $schema=./spec.schema.json\n" if beside else ""


def _refuse_to_replace(path: Path, *, force: bool) -> None:
    if path.exists() and not force:
        raise ShopguideError(str(path), "is there already", "Give another --out, or --force")


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
