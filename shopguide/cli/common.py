"""Options that the verbs share, and how an error reaches the person who typed the command."""

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import typer
from rich.console import Console

from shopguide.errors import ShopguideError

SpecPath = Annotated[
    Path, typer.Option("--spec", help="Spec (YAML).", show_default=True, dir_okay=False)
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B.C=VALUE", help="Override a field; repeat.")
]
Profile = Annotated[str | None, typer.Option(help="Profile of the spec, such as quick or full.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON line for machines.")]

DEFAULT_SPEC = Path("specs/complete_journey.yaml")

DEBUG_VARIABLE = "SHOPGUIDE_DEBUG"
"""Environment variable that asks for the traceback of an internal error."""

_OF_THE_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
"""Errors that a place on disk has, and the program cannot help."""

_WIDE = 1000  # columns, where nobody's window cuts a line


def console(file: TextIO) -> Console:
    """Open a console that wraps lines for a terminal, and never for a file or a pipe."""
    free = not file.isatty() and "COLUMNS" not in os.environ
    return Console(file=file, width=_WIDE if free else None)


stderr = Console(stderr=True, width=console(sys.stderr).width)
stdout = Console(width=console(sys.stdout).width)


def print_json(result: object) -> None:
    """Print one JSON line on standard output."""
    sys.stdout.write(json.dumps(result, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


@contextmanager
def verdict_of_errors(*, as_json: bool) -> Iterator[None]:
    """With --json, say on standard output too that there is no verdict, and why."""
    try:
        yield
    except ShopguideError as error:
        if as_json:
            print_json({"verdict": "error", "reason": str(error), "exit_code": error.exit_code})
        raise


def typed(context: typer.Context, names: Sequence[str]) -> list[str]:
    """Return the options of these parameters that were typed, as they are typed."""
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names and _was_typed(context, str(parameter.name))
    ]


def refuse_ignored(context: typer.Context, names: Sequence[str], because: str) -> None:
    """Refuse options that would do nothing.

    Args:
        context: of the command.
        names: of its parameters.
        because: what makes them idle, in words.

    Raises:
        ShopguideError: one of them was typed; names all.
    """
    idle = typed(context, names)
    if idle:
        what = f"{'has' if len(idle) == 1 else 'have'} no effect {because}"
        raise ShopguideError(", ".join(idle), what, "Leave it out")


def _was_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def run_app(app: Callable[..., Any]) -> None:
    """Run a typer application; a user's mistake ends it with a message instead of a traceback.

    Exit code 0 is yes, 1 an answer of no, 2 bad input, 3 a slip of ours: the last one says how to
    see its traceback, so that a job can tell it from a refusal.
    """
    try:
        app()
    except ShopguideError as error:
        for line in str(error).splitlines():  # a line a problem
            stderr.print(f"[bold red]error[/] {_escape(line)}", soft_wrap=True, highlight=False)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _OF_THE_PLACE or not error.filename:
            _slip(error)
        where, what = _escape(str(error.filename)), str(error.strerror).lower()
        hint = "Name another place, or see to its rights and its room"
        stderr.print(f"[bold red]error[/] {where}: {what}. {hint}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except Exception as error:  # noqa: BLE001 - whatever it is, a person gets one line
        _slip(error)
    except KeyboardInterrupt:
        stderr.print("interrupted")
        sys.exit(130)


def _slip(error: Exception) -> NoReturn:
    if os.environ.get(DEBUG_VARIABLE):
        raise error
    stderr.print(
        f"[bold red]internal error[/] {type(error).__name__}: {_escape(str(error)[:500])} "
        f"Set {DEBUG_VARIABLE}=1 to see where, and report it.",
        soft_wrap=True,
        highlight=False,
    )
    sys.exit(3)


def _escape(text: str) -> str:
    return text.replace("[", r"\[")
