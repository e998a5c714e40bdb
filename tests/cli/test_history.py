"""`shopguide history` keeps every word, and a line fits the terminal."""

from datetime import UTC, datetime

import pytest

from shopguide.cli import history
from shopguide.registry import HistoryEntry


def _printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> list[str]:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    long = "prepare-logs: " + "a.csv, row 3: is empty; " * 10
    entries = [
        HistoryEntry(at, "failed", None, None, None, None, None, (long,), None, is_champion=False),
        HistoryEntry(at, "refused", None, -0.1, -0.2, None, None, ("x",), None, is_champion=False),
        HistoryEntry(at, "promoted", "12", None, None, 0.6, 0.5, (), "c", is_champion=True),
    ]
    monkeypatch.setattr("shopguide.registry.history", lambda _: entries)
    monkeypatch.setattr(history.stdout, "_width", width)
    history.history()
    text = capsys.readouterr().out
    assert long.strip() in text
    return text.splitlines()


def test_captured_every_entry_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    head, failed, refused, promoted = _printed(capsys, monkeypatch, 1000)
    assert head.split()[-1] == "reasons"
    assert failed.startswith("2026-01-02 03:04:05  failed")
    assert refused.split()[3:] == ["–", "-10.00", "%", "-20.00", "%", "champion", "x"]
    assert promoted.split()[2:] == [
        *("promoted", "12", "←", "champion", "+60.00", "%", "+50.00", "%", "popularity"),
    ]


def test_an_unfair_comparison_has_the_words_of_the_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    unfair = HistoryEntry(at, "invalid", None, -0.1, -0.2, None, None, (), None, is_champion=False)
    fair = HistoryEntry(at, "refused", None, -0.1, -0.2, None, None, (), None, is_champion=False)
    monkeypatch.setattr("shopguide.registry.history", lambda _: [unfair, fair])
    monkeypatch.setattr(history.stdout, "_width", 1000)
    history.history()
    lines = capsys.readouterr().out.splitlines()
    assert "no fair comparison" in lines[1]
    assert lines[1].index("-10.00") == lines[2].index("-10.00")


def test_in_a_narrow_terminal_reasons_stand_below(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = _printed(capsys, monkeypatch, 80)
    assert all(len(line) <= 80 for line in lines if line.startswith(("when", "2026")))
    assert lines[3].startswith("  prepare-logs: a.csv, row 3")
