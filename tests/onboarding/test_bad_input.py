"""`init` refuses what is broken, and what is odd it reads, chooses for, and tells."""

import json
from pathlib import Path

import pytest
import yaml

from shopguide.errors import ShopguideError
from shopguide.onboarding import propose
from tests.logs.corpus import CASES, Case
from tests.onboarding.shapes import events, write


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_init_refuses_it_or_proposes_a_spec_that_reads_it(case: Case, tmp_path: Path) -> None:
    export = tmp_path / case.name
    export.write_bytes(case.content)
    if case.init_refused is not None:
        with pytest.raises(ShopguideError) as caught:
            propose([str(export)])
        assert caught.value.exit_code == 2
        assert case.init_refused in str(caught.value)
        return
    proposal = propose([str(export)])
    told = [f"{guess.field} {guess.value} {guess.why}" for guess in proposal.guesses]
    for part in case.told:
        assert any(part in line for line in told), told
    lines = len(case.content.splitlines()) - 1
    assert proposal.summary.rows["events"] + sum(proposal.summary.dropped.values()) == lines


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere.csv", "nowhere.csv: no such file. Give the path of an export"),
        ("none_*.csv", "none_*.csv: no file fits this glob. Give the path of an export"),
        (".", ".: is a folder. Give its files: ./*"),
    ],
)
def test_what_is_no_file_is_refused(
    path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ShopguideError) as caught:
        propose([path])
    assert str(caught.value) == message


def test_a_file_without_items_is_refused_with_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("when,who\n2024-01-01,u1\n2024-01-02,u2\n")
    with pytest.raises(ShopguideError, match="no column looks like an item; it has when, who"):
        propose([str(tmp_path / "e.csv")])


def test_a_log_of_a_few_moments_is_refused(tmp_path: Path) -> None:
    kinds = ("view", "buy")
    rows = "".join(f"u{n},i1,{kind},2024-01-01 10:00:00\n" for n in range(9) for kind in kinds)
    (tmp_path / "e.csv").write_text("user,item,type,time\n" + rows)
    with pytest.raises(ShopguideError, match="cannot be parted into three periods"):
        propose([str(tmp_path / "e.csv")])


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_column_that_is_empty_throughout_is_read_over(form: str, tmp_path: Path) -> None:
    rows = [
        {
            "ts": e.at.isoformat(), "user_id": f"u{e.user}", "item_id": f"i{e.item}",
            "action": e.kind, "coupon": None,
        }
        for e in events()
    ]  # fmt: skip
    path = tmp_path / f"e.{form}"
    if form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        write(path, [list(rows[0]), *(list(row.values()) for row in rows)])
    proposal = propose([str(path)])
    assert proposal.summary.rows["events"] == len(rows)
    assert "coupon" not in yaml.safe_load(proposal.text)["data"]["columns"].values()
