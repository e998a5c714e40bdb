"""The champion that a verb compares with: the registry's, unless another is named."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from shopguide.cli.common import stderr
from shopguide.spec import Spec

NONE = Path("none")
"""What is typed to compare with no champion."""

Champion = Annotated[
    Path | None,
    typer.Option(help="Bundle in production. Default: that of the spec's registry; none: none."),
]


@dataclass(frozen=True, slots=True)
class Held:
    """The champion of a comparison.

    Args:
        path: of its bundle; None when there is none.
        version: in the registry; None when it was not looked up there.
        registered: whether the registry was asked.
    """

    path: Path | None
    version: str | None
    registered: bool


@contextmanager
def champion_of(spec: Spec, given: Path | None) -> Iterator[Held]:
    """Find the champion; a copy out of the registry lasts as long as the body.

    Args:
        spec: reads `registry`, `home` and `name`.
        given: what was typed; None asks the registry.

    Raises:
        ShopguideError: the registry cannot be reached, or its bundle was changed.
    """
    if given is not None:
        yield Held(None if given == NONE else given, None, registered=False)
        return
    from shopguide.registry import fetch_champion  # it loads MLflow

    with tempfile.TemporaryDirectory(prefix="shopguide-champion-") as folder:
        copy = Path(folder) / "champion"
        version = fetch_champion(spec, copy)
        if version is not None:
            stderr.print(f"champion  version {version} of the registry", highlight=False)
        yield Held(copy if version else None, version, registered=True)
