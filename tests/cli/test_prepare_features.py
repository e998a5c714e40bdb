"""`shopguide prepare` and `shopguide features` as they are typed: exit code, message, JSON."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SHOPGUIDE = Path(sys.executable).parent / "shopguide"

SPEC = {
    "name": "shop",
    "home": "home",
    "data": {
        "source": "events",
        "path": "events.csv",
        "columns": {"user_id": "user", "item_id": "item", "kind": "type", "at": "time"},
        "kinds": {"view": "view", "buy": "purchase"},
        "max_bad_share": 0.1,
    },
    "attribution": {"match": "user_item", "window_hours": 2},
    "split": {
        "train": {"start": "2024-01-01", "end": "2024-01-03"},
        "valid": {"start": "2024-01-03", "end": "2024-01-05"},
        "test": {"start": "2024-01-05", "end": "2024-01-08"},
    },
    "tasks": {"purchase": {"kind": "binary", "event": "purchase"}},
    "features": {
        "views": {
            "item": {
                "keys": ["item_id"],
                "kind": "view",
                "measures": {"users": {"count_distinct": "user_id", "windows": [2]}},
            }
        }
    },
    "objective": {"goals": {"conversion": {"task": "purchase", "weight": 1}}},
}
EVENTS = [
    f"u{day % 2},i1,{kind},2024-01-0{day} 1{hour}:00:00"
    for day in range(1, 7)
    for hour, kind in enumerate(["view", "buy"])
]
"""Six days: an impression and a purchase an hour later, each day."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a spec and its export; its fourth row is cut off."""
    rows = ["user,item,type,time", *EVENTS[:2], "u9,i1", *EVENTS[2:]]
    (tmp_path / "events.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(SPEC, sort_keys=False), encoding="utf-8")
    return tmp_path


def shopguide(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SHOPGUIDE, *arguments, "--spec", "shop.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_log_and_a_training_set_are_made_and_their_counts_shown(folder: Path) -> None:
    prepared = shopguide(folder, "prepare", "--out", "log")
    assert (prepared.returncode, prepared.stderr) == (0, "")
    assert prepared.stdout.splitlines()[:5] == [
        "impressions              6",
        "events                  12",
        "users                    2",
        "items                    1",
        "left out                 1  unusable, too few fields",
    ]
    assert "note: events.csv, row 4: too few fields: 'u9,i1'." in prepared.stdout
    assert prepared.stdout.splitlines()[-1] == "→ log"

    made = shopguide(folder, "features", "--log", "log", "--out", "training_set", "--json")
    assert (made.returncode, made.stderr) == (0, "")
    summary = json.loads(made.stdout)
    # the window of 6 January is not over when the log ends: at the purchase, an hour later
    assert summary["rows"] == {"train": 2, "valid": 2, "test": 1}
    assert summary["dropped"] == {"window not over": 1}
    assert summary["label_means"]["train"] == {"purchase": 1.0}
    assert {path.name for path in folder.iterdir()} == {
        "events.csv", "shop.yaml", "log", "training_set", "home",
    }  # fmt: skip


def test_json_is_one_line_of_what_was_prepared(folder: Path) -> None:
    done = shopguide(folder, "prepare", "--out", "log", "--json")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    summary = json.loads(done.stdout)
    assert summary["rows"] == {"impressions": 6, "events": 12, "users": 2, "items": 1}
    assert summary["dropped"] == {"unusable, too few fields": 1}
    assert summary["start"] == "2024-01-01T10:00:00+00:00"
    assert (
        json.loads((folder / "log" / "log.json").read_text(encoding="utf-8"))["rows"]
        == (summary["rows"])
    )


def test_a_row_that_may_not_be_bad_ends_with_2_and_says_where(folder: Path) -> None:
    done = shopguide(folder, "prepare", "--out", "log", "--set", "data.max_bad_share=0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error events.csv, row 4: too few fields: 'u9,i1'. "
        "Mend the row, or leave it out\n"
        "error data.path events.csv: 1 of 13 rows cannot be used (7.69%); 0.00% may be. "
        "Mend the export, or raise data.max_bad_share\n"
    )
    assert not (folder / "log").exists()


def test_every_problem_is_a_line_without_a_traceback(folder: Path) -> None:
    events = (folder / "events.csv").read_text(encoding="utf-8")
    (folder / "events.csv").write_text(events.replace("buy", "[b]buy"), encoding="utf-8")
    done = shopguide(folder, "prepare", "--out", "log")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 5  # three examples of one reason, the cut-off row, and the total
    assert lines[0] == (
        "error events.csv, row 3, column type: '[b]buy' is not one of buy, view (6 rows in all). "
        "Map it in data.kinds"
    )
    assert "Traceback" not in done.stderr


def test_features_without_a_log_end_with_2(folder: Path) -> None:
    done = shopguide(folder, "features", "--log", "nowhere", "--out", "training_set")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("error nowhere/log.json: no such file. Run `shopguide prepare` first\n")
    assert not (folder / "training_set").exists()


def test_a_period_without_impressions_ends_with_1(folder: Path) -> None:
    assert shopguide(folder, "prepare", "--out", "log").returncode == 0
    later = ("--set", "split.test={start: 2025-01-01, end: 2025-01-02}")
    done = shopguide(folder, "features", "--log", "log", "--out", "training_set", *later)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error spec split.test: no complete impression between 2025")
    assert not (folder / "training_set").exists()


def test_a_profile_that_the_spec_lacks_ends_with_2(folder: Path) -> None:
    done = shopguide(folder, "prepare", "--profile", "huge")
    assert done.returncode == 2
    assert (
        done.stderr
        == "error shop.yaml: no profile 'huge': the spec has no profiles. Leave --profile out\n"
    )
