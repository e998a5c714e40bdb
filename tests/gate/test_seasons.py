"""Seasons of nights without a better challenger, and with one."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from shopguide.gate import Audit, audit, write_audit
from shopguide.gate.arms import Arms
from shopguide.gate.audit_report import audit_html
from shopguide.gate.evidence import log_changes, objective_of
from shopguide.gate.family_audit import spent_by_night
from shopguide.gate.seasons import Seasons, draw_seasons
from shopguide.spec.gate import AlphaSpending, Gate
from shopguide.spec.objective import Goal
from tests.gate.conftest import VAGUE, Shop
from tests.gate.test_decide import changed
from tests.gate.test_report import Page

NIGHTS, RUNS, ALPHA = 365, 300, 0.05
MOST = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)
GOALS = {
    "ctr": Goal(task="click", weight=0.6),
    "basket": Goal(task="money", per="click", weight=0.4),
}
GATE = Gate(min_gain=0.0, margins={"ctr": 0.5, "basket": 0.5})
SEQUENCE = AlphaSpending(function="confidence_sequence")


def two_rankings(users: int = 403) -> Arms:
    """Two rankings that share half of each user's clicks; the money of a click is skewed."""
    rng = np.random.default_rng(0)
    shared, *own = (rng.poisson(2.5, users) for _ in range(3))
    clicks = [shared + one for one in own]
    money = [count * rng.lognormal(0, 1, users) for count in clicks]
    sides = [np.column_stack(pair).astype(np.float64) for pair in zip(clicks, money, strict=True)]
    return Arms(("click", "money"), sides[0], sides[1], np.ones(users))


@pytest.fixture(scope="module")
def year() -> Seasons:
    return draw_seasons(two_rankings(), GOALS, GATE, nights=NIGHTS, runs=RUNS, seed=1)


def test_a_night_is_what_its_exchanged_rankings_say() -> None:
    pair = two_rankings()
    found = draw_seasons(pair, GOALS, GATE, nights=3, runs=2, seed=7)
    stream = np.random.default_rng(np.random.SeedSequence([7, 3, 1]))
    bits = np.unpackbits(stream.integers(0, 256, (3, 51), np.uint8), axis=1)[:, :403]
    for night in range(3):
        changes, moved = log_changes(pair.swapped(bits[night].astype(bool)), GOALS)
        together = objective_of(changes, moved, GOALS)
        assert together is not None
        assert found.changes[:, 1, night] == pytest.approx([together.change, *changes])
        each = np.sqrt(403 / 402 * (moved**2).sum(axis=0))
        assert found.errors[:, 1, night] == pytest.approx([together.error, *each])


def test_in_at_most_one_year_of_twenty_a_champion_is_replaced_by_none_better(
    year: Seasons,
) -> None:
    whole = (year.by_sequence(ALPHA, 30) < NIGHTS).mean()
    assert whole <= MOST
    alone = (year.by_night([ALPHA] * NIGHTS) < NIGHTS).mean()
    assert alone > 0.95  # a gate that is right nineteen nights of twenty


def test_small_gains_are_seen_that_no_single_night_can_show(year: Seasons) -> None:
    error = float(year.errors[0].mean())
    gain = 0.35 * error  # of every challenger: a third of one night's standard error
    sequence = year.by_sequence(ALPHA / 2, 30, gain)
    single = year.by_night([ALPHA / NIGHTS] * NIGHTS, gain)
    assert (sequence < NIGHTS).mean() > 0.9
    assert (single < NIGHTS).mean() < 0.5
    assert year.at_the_end(ALPHA, gain).mean() > 0.99
    assert np.median(sequence) < NIGHTS / 2


def test_no_error_no_promotion(year: Seasons) -> None:
    assert (year.by_night([0.0] * NIGHTS, 1.0) == NIGHTS).all()


def test_a_lost_goal_stands_in_the_way() -> None:
    strict = Gate(min_gain=0.0)
    found = draw_seasons(two_rankings(), GOALS, strict, nights=20, runs=50, seed=1)
    moved = Seasons(found.changes.copy(), found.errors, found.least, found.users, 0.95)
    moved.changes[0] += 1.0  # J gains, a goal loses
    moved.changes[1] -= 1.0
    assert (moved.by_sequence(ALPHA, 30) == 20).all()
    assert not moved.at_the_end(ALPHA).any()


def test_the_audit_of_nights_by_a_sequence(shop: Shop, tmp_path: Path) -> None:
    margins = {"ctr": 0.2, "sales": 0.2}
    spec = changed(shop.spec, replicates=200, margins=margins, alpha_spending=SEQUENCE)
    pair = (shop.model("good"), shop.test_set, shop.model("vague", VAGUE))
    found: Audit = audit(spec, *pair, runs=200, challengers=1, nights=40)
    nightly = found.nightly
    assert nightly is not None
    assert (nightly.function, nightly.members) == ("confidence_sequence", 40)
    assert nightly.alpha == pytest.approx(ALPHA / 2) == spent_by_night(spec.gate, 40)[-1]
    assert nightly.false_promotion <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / 200)
    assert nightly.uncorrected > 0.5
    rates = [point.sequence for point in nightly.season]
    assert rates == sorted(rates)
    assert rates[-1] > 0.95
    for point in nightly.season:
        assert point.sequence <= point.fixed + 0.1  # no rule that may stop beats it by much
    write_audit(found, tmp_path)
    content = json.loads((tmp_path / "audit.json").read_text())
    assert len(content["nightly"]["season"]) == len(rates)
    page = audit_html(found)
    assert "A season of nights" in page
    paths = [path for path, _, _ in Page(page).figures]
    assert "nightly.season.0.gain" in paths
