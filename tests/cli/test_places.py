"""A place on disk that fails is named with what to do; it is no slip of ours."""

import errno

import pytest

from shopguide.cli.common import run_app


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EROFS, "read-only file system"), (errno.ENOSPC, "no space left on device")],
)
def test_a_place_that_cannot_be_written_is_named(
    number: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise OSError(number, words.capitalize(), "/home/shop/registry.lock")

    with pytest.raises(SystemExit) as ended:
        run_app(fail)
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert f"/home/shop/registry.lock: {words}. Name another place" in message


def test_an_error_without_a_place_stays_a_slip_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SHOPGUIDE_DEBUG", raising=False)

    def fail() -> None:
        raise OSError(errno.EPIPE, "Broken pipe")

    with pytest.raises(SystemExit) as ended:
        run_app(fail)
    assert ended.value.code == 3
    assert "internal error" in capsys.readouterr().err
