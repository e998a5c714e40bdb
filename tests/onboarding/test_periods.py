"""Periods that `init` proposes: fair shares of the impressions' time, and warned of where small."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from shopguide.onboarding import Proposal, propose
from tests.onboarding.shapes import START, user_behaviour, write

DAYS, CLICKS, MOST_DELAY = 30, 30_000, 5 * 86_400


@pytest.fixture(scope="module")
def delayed(tmp_path_factory: pytest.TempPathFactory) -> Proposal:
    """A wide log whose sales come up to five days after the click."""
    rng = np.random.default_rng(7)
    at = np.sort(rng.integers(0, DAYS * 86_400, CLICKS)) + int(START.timestamp())
    sold = rng.random(CLICKS) < 0.15
    delay = np.where(sold, rng.integers(0, MOST_DELAY, CLICKS), -1)
    paid = np.where(sold, 20.0, -1)
    rows = [
        (int(s), p, d, t, f"p{i}", f"u{u}")
        for s, p, d, t, i, u in zip(
            sold, paid, delay, at, rng.integers(0, 50, CLICKS), rng.integers(0, 9000, CLICKS),
            strict=True,
        )
    ]  # fmt: skip
    head = ("Sale", "SalesAmountInEuro", "time_delay_for_conversion", "click_timestamp",
            "product_id", "user_id")  # fmt: skip
    return propose([write(tmp_path_factory.mktemp("wide") / "clicks.tsv", [head, *rows], "\t")])


def test_delayed_sales_take_no_period_away(delayed: Proposal) -> None:
    split = delayed.spec.split
    lengths = {
        name: getattr(split, name).end - getattr(split, name).start
        for name in ("train", "valid", "test")
    }
    whole = sum(lengths.values(), timedelta(0))
    assert lengths["valid"] / whole == pytest.approx(0.15, abs=0.03)
    assert lengths["test"] / whole == pytest.approx(0.2, abs=0.03)


def test_the_gap_holds_the_delay_of_nearly_all_sales(delayed: Proposal) -> None:
    split = delayed.spec.split
    assert timedelta(days=4.5) < split.valid.start - split.train.end < timedelta(days=5)
    assert split.test.start - split.valid.end == split.valid.start - split.train.end


def test_sales_after_the_last_click_make_the_log_no_longer(delayed: Proposal) -> None:
    assert delayed.spec.split.test.end.date() <= (START + timedelta(days=DAYS)).date()


def test_too_few_users_for_the_gate_are_warned_of(tmp_path: Path) -> None:
    proposal = propose(user_behaviour(tmp_path))
    told = [g.why for g in proposal.guesses if g.value == "too few users" and not g.sure]
    assert len(told) == 1
    assert "users, and the gate asks for 200: it will find no fair comparison" in told[0]
