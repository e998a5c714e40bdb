"""A loopback server, and the verbs against it as a person types them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from pipelines.__main__ import app
from shopguide.cli.common import run_app
from tests.pipelines.loopback import Loopback


@dataclass(frozen=True, slots=True)
class Done:
    """How a verb ended.

    Args:
        code: exit code.
        out: what it printed.
        err: what it complained.
    """

    code: int
    out: str
    err: str


Verb = Callable[..., Done]


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Loopback]:
    folder = tmp_path / "loopback"
    folder.mkdir()
    with Loopback(folder) as server:
        yield server


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verb:
    """Return a function that runs `python -m pipelines VERB …` in this process."""
    for name in ("KFP_HOST", "KFP_TOKEN", "KFP_COOKIE", "KFP_NAMESPACE", "KFP_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        code = 0
        try:
            run_app(partial(app, list(arguments)))
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make retries follow at once."""
    monkeypatch.setattr("urllib3.Retry.sleep", lambda *_: None)
