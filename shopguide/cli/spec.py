"""`shopguide spec`: check a spec, or print the JSON Schema that editors complete it with."""

from pathlib import Path
from typing import Annotated

import typer

from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stdout,
)
from shopguide.spec import json_schema, load_spec

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Check a spec, or print its JSON Schema.",
)


@app.command()
def check(
    spec: SpecPath = DEFAULT_SPEC,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Read a spec, and say what is wrong with it, all at once."""
    from shopguide.features.catalogue import check_names

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    check_names(loaded)
    if as_json:
        print_json({"valid": True, **loaded.model_dump(mode="json")})
        return
    goals = ", ".join(f"{name} {goal.weight:g}" for name, goal in loaded.objective.goals.items())
    stdout.print(
        f"{spec} is valid: {loaded.name} ({loaded.data.source}), tasks {', '.join(loaded.tasks)}; "
        f"goals {goals}; architecture {loaded.model.architecture}",
        highlight=False,
    )


@app.command()
def schema(
    out: Annotated[
        Path | None, typer.Option(help="File to write; standard output if none.")
    ] = None,
) -> None:
    """Print the JSON Schema of a spec, for editors that complete and check YAML."""
    if out is None:
        typer.echo(json_schema(), nl=False)
    else:
        out.write_text(json_schema(), encoding="utf-8")
