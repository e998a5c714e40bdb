"""A champion's runs put together: which evidence counts, what it costs, and what is decided."""

import json
import math
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.gate import (
    Evidence,
    Ledger,
    Look,
    Shown,
    SpendingTerms,
    decide,
    read_decision,
    read_ledger,
    replay,
)
from shopguide.gate.criteria import against_sequence
from shopguide.gate.decision_file import sealed as seal
from shopguide.gate.evidence import gather, log_changes
from shopguide.gate.sequence import earlier_evidence, follow
from shopguide.gate.spending import error_of, spend, spending_terms
from shopguide.gate.test_set import read_test_set
from shopguide.spec import Spec
from shopguide.spec.gate import AlphaSpending, Gate
from shopguide.spec.objective import Goal
from tests.gate.conftest import VAGUE, Shop, planted
from tests.gate.test_audit import arms
from tests.gate.test_decide import changed
from tests.training_sets import sealed

BUDGET = 0.05
SEQUENCE = AlphaSpending(function="confidence_sequence", horizon=30)
TERMS = spending_terms(SEQUENCE, BUDGET)
A_LITTLE = ((0.75, 0.0, 0.6), (0.0, 0.75, 0.6))
"""A model that is a little better than the vague one."""


def look(night: int, terms: str = "", alpha: float = 0.0, spending: SpendingTerms = TERMS) -> Look:
    made = f"challenger {night}", f"test set {night}"
    return Look("champion", made[:1], made[1], alpha, terms=terms, spending=spending)


def evidence(night: int, change: float = 0.1, error: float = 0.02, users: int = 100) -> Evidence:
    until = datetime(2024, 3, 1, tzinfo=UTC) + timedelta(days=night)
    shown = Shown(change, error)
    return Evidence(users, until.isoformat(), shown, {"ctr": shown})


def test_the_first_run_takes_half_and_those_that_follow_take_nothing_more() -> None:
    looks: list[Look] = []
    for night in range(100):
        found = spend(SEQUENCE, BUDGET, looks, look(night))
        assert found.alpha == pytest.approx(BUDGET / 2)
        assert (found.sequence, found.continued) == (1, night > 0)
        looks.append(look(night, alpha=found.taken))
    assert math.fsum(one.alpha for one in looks) == pytest.approx(BUDGET / 2)


def test_whoever_changes_what_is_asked_begins_another_and_all_keep_the_budget() -> None:
    looks: list[Look] = []
    for night in range(50):
        asked = f"weights {night % 25}"
        found = spend(SEQUENCE, BUDGET, looks, look(night, asked))
        number = night % 25 + 1  # the second time round, each goes on
        assert found.sequence == number
        assert found.alpha == pytest.approx(BUDGET / (number * (number + 1)))
        looks.append(look(night, asked, found.taken))
    assert math.fsum(one.alpha for one in looks) < BUDGET


@pytest.mark.parametrize("function", ["bonferroni", "harmonic", "none"])
def test_what_was_spent_by_other_terms_is_gone(function: str) -> None:
    other = AlphaSpending(function=function, horizon=4)
    before = [look(night, alpha=0.02, spending=spending_terms(other, BUDGET)) for night in range(2)]
    found = spend(SEQUENCE, BUDGET, before, look(3))
    assert found.alpha == pytest.approx(0.01)
    begun = [*before, look(3, alpha=found.taken)]
    assert spend(SEQUENCE, BUDGET, begun, look(4)).alpha == pytest.approx(0.01)
    assert spend(other, BUDGET, begun, look(4)).alpha == 0  # and the other way round


def test_another_run_where_it_is_tightest_is_another_sequence() -> None:
    first = look(0, alpha=BUDGET / 2)
    other = AlphaSpending(function="confidence_sequence", horizon=7)
    found = spend(other, BUDGET, [first], look(1, spending=spending_terms(other, BUDGET)))
    assert (found.sequence, found.continued) == (2, False)
    assert found.former == ("5\u00a0% by confidence_sequence tightest at run 30",)


def test_a_runs_own_bounds_have_the_whole_error() -> None:
    found = spend(SEQUENCE, BUDGET, [], look(0))
    assert error_of(found, 0.95, here=1, tried=1) == pytest.approx(0.05)


def test_only_earlier_runs_by_the_same_terms_count_and_a_repeated_one_once() -> None:
    looks = [
        replace(look(0), evidence=evidence(0)),
        replace(look(1, "others"), evidence=evidence(1)),
        look(2),
        replace(look(3), evidence=evidence(3)),
        replace(look(4), evidence=evidence(4)),
    ]
    assert earlier_evidence(looks, look(5)) == [evidence(0), evidence(3), evidence(4)]
    assert earlier_evidence(looks, look(3)) == [evidence(0)]


def test_runs_that_show_too_little_alone_show_it_together() -> None:
    gate = Gate(min_gain=0.0, margins={"ctr": 0.01}, alpha_spending=SEQUENCE)
    spending = spend(SEQUENCE, BUDGET, [], look(0))
    nights = [evidence(night, change=0.03, error=0.02) for night in range(20)]
    alone = follow([], nights[0], spending, gate)
    together = follow(nights[:-1], nights[-1], spending, gate)
    assert alone.objective is not None
    assert together.objective is not None
    assert not alone.objective.passes
    assert together.objective.passes
    assert together.objective.estimate == pytest.approx(math.expm1(0.03))
    assert (together.runs, together.users, together.fresh) == (20, 2000, 100)
    codes = [reason.text for reason in against_sequence(alone, {})]
    assert codes == ["sequence_gain_not_shown", "sequence_goal_may_lose:ctr"]
    assert not list(against_sequence(together, {}))


def test_users_weigh_nights() -> None:
    gate = Gate(min_gain=0.0, alpha_spending=SEQUENCE)
    spending = spend(SEQUENCE, BUDGET, [], look(0))
    many, few = evidence(0, change=0.0, users=900), evidence(1, change=0.1, users=100)
    found = follow([many], few, spending, gate).objective
    assert found is not None
    assert found.estimate == pytest.approx(math.expm1(0.01))


def test_a_run_without_evidence_promotes_nothing() -> None:
    gate = Gate(min_gain=0.0, alpha_spending=SEQUENCE)
    spending = spend(SEQUENCE, BUDGET, [], look(0))
    shown = [evidence(night, change=0.5) for night in range(20)]
    codes = [r.text for r in against_sequence(follow(shown, None, spending, gate), {})]
    assert codes == ["nothing_new"]
    assert follow([], None, spending, gate).objective is None


def test_exchanging_the_rankings_turns_the_sign() -> None:
    goals = {"ctr": Goal(task="click", weight=1.0)}
    pair = arms()
    turned = pair.swapped(np.ones(len(pair.requests), dtype=np.bool_))
    (there,), moved = log_changes(pair, goals)
    (back,), moved_back = log_changes(turned, goals)
    assert there == pytest.approx(-back, abs=1e-12)
    assert moved == pytest.approx(-moved_back)


def test_impressions_that_an_earlier_run_counted_do_not_count_again(shop: Shop) -> None:
    test = read_test_set(shop.test_set, shop.spec, ["appeal", "noise"])
    scores = test.table.column("appeal").to_numpy()
    champion = test.table.column("noise").to_numpy()
    middle = datetime(2024, 3, 15, tzinfo=UTC)
    late = gather(shop.spec, test, champion, [scores], middle)
    after = pc.greater(test.table.column("shown_at"), pa.scalar(middle))
    rows = np.flatnonzero(after.to_numpy())
    whole = gather(shop.spec, test, champion, [scores], None)
    assert late is not None
    assert whole is not None
    users = pc.count_distinct(test.table.take(rows).column("user_id")).as_py()
    assert late.users == users < whole.users
    assert late.until == whole.until == test.last.astimezone(UTC).isoformat()
    assert late.objective.change != whole.objective.change
    assert gather(shop.spec, test, champion, [scores], test.last) is None


def test_several_challengers_add_their_mean(shop: Shop) -> None:
    test = read_test_set(shop.test_set, shop.spec, ["appeal", "noise", "value"])
    champion, *both = (test.table.column(c).to_numpy() for c in ("noise", "appeal", "value"))
    each = [gather(shop.spec, test, champion, [one], None) for one in both]
    mean = gather(shop.spec, test, champion, both, None)
    assert mean is not None
    changes = [one.objective.change for one in each if one is not None]
    assert mean.objective.change == pytest.approx(np.mean(changes))
    assert mean.objective.error > 0


def nights(shop: Shop, tmp_path: Path, number: int) -> list[Path]:
    """Write test sets of one shop, each after the one before."""
    found = []
    for night in range(number):
        folder = tmp_path / f"night{night}"
        folder.mkdir()
        table = planted(seed=100 + night)
        at = pc.add(table.column("shown_at"), pa.scalar(timedelta(days=30 * night)))
        place = table.column_names.index("shown_at")
        pq.write_table(table.set_column(place, "shown_at", at), folder / "test.parquet")
        sealed(folder, shop.spec)
        found.append(folder)
    return found


def by_sequence(shop: Shop) -> Spec:
    margins = {"ctr": 0.2, "sales": 0.2}
    return changed(shop.spec, alpha_spending=SEQUENCE, margins=margins)


def test_a_better_challenger_is_promoted_once_the_runs_together_show_it(
    shop: Shop, tmp_path: Path
) -> None:
    spec, vague, good = by_sequence(shop), shop.model("vague", VAGUE), shop.model("good")
    ledger, verdicts = Ledger(), []
    for night, data in enumerate(nights(shop, tmp_path, 3)):
        found = decide(spec, good, data, tmp_path / f"out{night}", champion=vague, ledger=ledger)
        ledger = ledger.with_look(found.look)
        verdicts.append(found.verdict)
        assert found.sequence is not None
        assert found.sequence.runs == night + 1
        assert found.confidence == pytest.approx(0.95)
    assert verdicts[-1] == "promote"
    ledger.write(tmp_path / "ledger.json")
    assert read_ledger(tmp_path / "ledger.json") == ledger
    assert [one.alpha for one in ledger.looks] == pytest.approx([BUDGET / 2, 0, 0])
    page = (tmp_path / "out2" / "report.html").read_text()
    assert "Together, this champion" in page
    assert "Together, this champion" in (tmp_path / "out2" / "report.md").read_text()
    read = read_decision(tmp_path / "out2")
    replay(read, good, tmp_path / "night2", tmp_path / "again", champion=vague)
    for name in ("decision.json", "report.md", "report.html"):
        first, second = tmp_path / "out2" / name, tmp_path / "again" / name
        assert first.read_bytes() == second.read_bytes()


def test_the_same_test_period_again_adds_nothing(shop: Shop, tmp_path: Path) -> None:
    spec, vague = by_sequence(shop), shop.model("vague", VAGUE)
    first = decide(spec, shop.model("good"), shop.test_set, tmp_path / "a", champion=vague)
    ledger = Ledger().with_look(first.look)
    other = shop.model("a little", A_LITTLE)
    found = decide(spec, other, shop.test_set, tmp_path / "b", champion=vague, ledger=ledger)
    assert found.verdict == "refuse"
    assert "nothing_new" in found.reasons
    assert found.look is not None
    assert found.look.evidence is None
    again = decide(
        *(spec, shop.model("good"), shop.test_set, tmp_path / "c"), champion=vague, ledger=ledger
    )
    assert again.sequence == first.sequence


def test_what_cannot_be_trusted_is_no_evidence(shop: Shop, tmp_path: Path) -> None:
    broken = shop.model("broken golden", golden_off=0.3)
    found = decide(
        by_sequence(shop), broken, shop.test_set, tmp_path, champion=shop.model("vague", VAGUE)
    )
    assert found.verdict == "invalid"
    assert found.look is not None
    assert found.look.evidence is None
    assert found.look.alpha == pytest.approx(BUDGET / 2)


def test_candidates_that_are_not_shown_are_refused(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match="the mean of all that were compared"):
        decide(
            *(by_sequence(shop), shop.model("good"), shop.test_set, tmp_path),
            champion=shop.model("vague", VAGUE),
            tried=3,
        )


def test_an_edited_sequence_is_found_out(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    found = decide(by_sequence(shop), shop.model("good"), shop.test_set, tmp_path, champion=vague)
    assert found.sequence is not None
    edited = seal(replace(found, sequence=replace(found.sequence, runs=99)))
    (tmp_path / "decision.json").write_text(json.dumps(edited.to_json()))
    with pytest.raises(ShopguideError, match="does not follow from the looks"):
        read_decision(tmp_path)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"users": 0}, "users"),
        ({"until": "yesterday"}, "until"),
        ({"until": "2024-03-01T00:00:00"}, "until"),
        ({"objective": Shown(math.inf, 0.1)}, "objective"),
        ({"goals": {"ctr": Shown(0.1, -1.0)}}, "ctr"),
    ],
)
def test_evidence_that_no_run_can_have_is_refused(
    broken: dict[str, object], said: str, tmp_path: Path
) -> None:
    made = replace(evidence(0), **broken)  # type: ignore[arg-type]
    content = asdict(Ledger((replace(look(0), evidence=made),)))
    (tmp_path / "ledger.json").write_text(json.dumps(content))
    with pytest.raises(ShopguideError, match=said):
        read_ledger(tmp_path / "ledger.json")


def test_the_bundle_of_the_champion_itself_begins_nothing(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    found = decide(by_sequence(shop), vague, shop.test_set, tmp_path, champion=vague)
    assert found.reasons[0] == "identical"
    assert (found.look, found.sequence) == (None, None)
    assert load_bundle(vague).manifest.checksum == found.challenger.checksum
