"""Every defect of the corpus has its message or its count, and no row is lost silently."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shopguide.errors import ShopguideError
from shopguide.logs import LogSummary, prepare_logs
from shopguide.spec import check_text
from tests.logs.corpus import CASES, Case, spec_text


def prepared(case: Case, folder: Path) -> LogSummary:
    export = folder / case.name
    export.write_bytes(case.content)
    spec = check_text(spec_text(export, **case.data), where="spec")
    return prepare_logs(spec, folder / "log")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_prepare_refuses_it_or_says_what_was_left_out(case: Case, tmp_path: Path) -> None:
    if case.refused is not None:
        with pytest.raises(ShopguideError) as caught:
            prepared(case, tmp_path)
        assert caught.value.exit_code == 2
        assert case.refused in str(caught.value)
        assert not (tmp_path / "log").exists()
        return
    summary = prepared(case, tmp_path)
    assert summary.dropped == case.dropped
    assert case.noted is None or case.noted in "\n".join(summary.notes)
    lines = len(case.content.splitlines()) - 1
    assert summary.rows["events"] + sum(summary.dropped.values()) == lines
    apart = any(reason.startswith("unusable") for reason in summary.dropped)
    assert (tmp_path / "log" / "quarantine.csv").exists() == apart


def test_ids_are_the_same_whether_or_not_they_became_floats(tmp_path: Path) -> None:
    counts = []
    for name in ("whole", "ids that became floats", "a byte order mark"):
        folder = tmp_path / name
        folder.mkdir()
        counts.append(prepared(CASES[name], folder).rows)
    assert counts[0] == counts[1] == counts[2]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    spec = check_text(spec_text(tmp_path), where="spec")
    with pytest.raises(ShopguideError) as caught:
        prepare_logs(spec, tmp_path / "log")
    assert str(caught.value) == (
        f"data.path {tmp_path}: is a folder. Give a file, or a glob such as {tmp_path}/*.csv"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    case = CASES["whole"]
    (tmp_path / case.name).write_bytes(case.content)
    (tmp_path / case.name).chmod(0)
    spec = check_text(spec_text(tmp_path / case.name), where="spec")
    with pytest.raises(ShopguideError, match="may not be read"):
        prepare_logs(spec, tmp_path / "log")


def test_a_disk_that_is_full_is_called_that(tmp_path: Path) -> None:
    """A limit on the size of a file stands for the disk: both end a write before its end."""
    case = CASES["whole"]
    (tmp_path / case.name).write_bytes(case.content)
    (tmp_path / "spec.yaml").write_text(spec_text(tmp_path / case.name), encoding="utf-8")
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from shopguide.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "prepare", "--spec", "spec.yaml", "--out", "log"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "the disk is full" in done.stderr
    assert "Free some of it" in done.stderr
    assert not (tmp_path / "log").exists()
