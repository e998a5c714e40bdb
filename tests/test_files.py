"""Directories and files are whole or not there, and nobody else's are replaced."""

from pathlib import Path

import pytest

from shopguide.errors import ShopguideError
from shopguide.files import atomic_directory, write_json, write_text


def test_a_directory_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with atomic_directory(target, marker="done") as folder:
        (folder / "done").write_text("1")
        assert not target.exists()
    assert (target / "done").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_the_older_directory(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with atomic_directory(target, marker="done") as folder:
        (folder / "done").write_text("old")
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(target)
    assert (target / "done").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def _write_and_fail(target: Path) -> None:
    with atomic_directory(target, marker="done") as folder:
        (folder / "done").write_text("new")
        assert 1 / 0


def test_a_directory_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("four years of work")
    with (
        pytest.raises(ShopguideError, match="exists and holds no done"),
        atomic_directory(tmp_path, marker="done"),
    ):
        pass
    assert (tmp_path / "thesis.tex").exists()


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "a", marker="done"):
        pass
    with atomic_directory(tmp_path / "a", marker="done") as folder:
        (folder / "done").touch()
    assert (tmp_path / "a" / "done").exists()


def test_json_refuses_what_json_has_not(tmp_path: Path) -> None:
    write_text(tmp_path / "a.json", "old")
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert (tmp_path / "a.json").read_text() == "old"
