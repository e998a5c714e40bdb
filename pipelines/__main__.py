"""`python -m pipelines`: compile, run on this machine, or submit and schedule in Kubeflow."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.kubeflow import verbs
from shopguide.cli.common import (
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    console,
    print_json,
    run_app,
    stderr,
    stdout,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for verb in (verbs.submit, verbs.schedule, verbs.status, verbs.wait, verbs.logs):
    app.command()(verb)


@app.command(name="compile")
def compile_(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if the YAML is out of date.")
    ] = False,
    image: Annotated[
        str | None, typer.Option(help="Image of your registry that the steps run in, by digest.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Where the files for --image go.", file_okay=False)
    ] = Path("runs/compiled"),
) -> None:
    """Compile pipelines and components to the YAML that is committed, or for an image of yours."""
    from pipelines.compiling import compile_all, compile_for, differences

    if not check:
        for path in compile_all() if image is None else compile_for(image, out):
            stdout.print(
                str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
            )
        return
    diff = differences()
    if diff:
        typer.echo(diff)
        stderr.print("The compiled YAML is out of date. Run `python -m pipelines compile`.")
        raise typer.Exit(1)
    stdout.print("The compiled YAML is in sync.")


@app.command()
def run(
    spec: SpecPath,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the results; none: runs/ and the spec file's name.", file_okay=False
        ),
    ] = None,
    overrides: Overrides = None,
    profile: Profile = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Take up the last run if it was cut off.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run logs → features → model → gate → Bento → champion from the compiled YAML."""
    from pipelines.local_run import run_locally
    from pipelines.outcome import results_of
    from pipelines.summary import print_summary
    from shopguide.spec import load_spec

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    # bound to today's streams: while kfp runs, what goes to sys.stdout goes to its log
    screen = console(sys.stderr if as_json else sys.stdout)
    shown = f"{loaded.name}, profile {loaded.profile}" if loaded.profile else loaded.name
    results = out or results_of(spec)
    screen.print(f"{shown} → {results}", highlight=False)
    result = run_locally(loaded, results, screen, resume=resume)
    if as_json:
        print_json(result.to_dict())
    else:
        print_summary(result, screen)


if __name__ == "__main__":
    run_app(app)
