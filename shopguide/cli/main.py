"""The verbs of `shopguide`; each is loaded only when it is the one that was typed."""

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

from shopguide import __version__
from shopguide.cli.common import run_app

_VERBS = {
    "init": "Look at a shop's files, and write a spec that runs.",
    "spec": "Check a spec, or print its JSON Schema.",
    "prepare": "Turn raw logs into the canonical log.",
    "features": "Compute features, register them in Feast, join the training set.",
    "validate": "Check the canonical log and the training set.",
    "materialize": "Bring the online store up to the latest features.",
    "train": "Train the multi-task model and write its bundle.",
    "solve": "Solve for the fusion weights of a bundle, without retraining.",
    "evaluate": "Measure a bundle's predictions and lists, or what another policy would bring.",
    "gate": "Decide on a challenger, or audit the gate itself.",
    "nightly": "Land what was delivered, train, decide, promote or keep the champion.",
    "package": "Build the Bento and bless it over HTTP.",
    "promote": "Register a bundle that passed the gate, and make it the champion.",
    "champion": "Copy the champion's bundle out of the registry.",
    "history": "List champions, runs and decisions.",
    "rollback": "Return to the former champion.",
    "serve": "Serve the champion.",
}


class _LazyVerbs(TyperGroup):
    """Import a verb's module when it is asked for: torch and MLflow take seconds to load.

    typer carries a click of its own without public names for it, hence `Any`.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(_VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"shopguide.cli.{cmd_name}")
        if isinstance(getattr(module, "app", None), typer.Typer):
            return typer.main.get_command(module.app)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name=cmd_name)(getattr(module, cmd_name))
        return typer.main.get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


app = typer.Typer(
    cls=_LazyVerbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    """From shop logs to a promoted multi-task ranking model."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line."""
    run_app(app)
