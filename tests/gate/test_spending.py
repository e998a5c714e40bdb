"""The error of one champion is shared by its runs: closed forms, then thirty nights simulated."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shopguide.errors import ShopguideError
from shopguide.gate import Ledger, Look, PastDecision, SpendingTerms, read_ledger
from shopguide.gate.spending import (
    can_show,
    least_error,
    replicates_for,
    spend,
    spending_terms,
)
from shopguide.gate.statistics import compare
from shopguide.spec.gate import AlphaSpending, SpendingFunction
from shopguide.spec.objective import Goal
from tests.gate.test_simultaneous import candidates_without_gain

BUDGET = 0.05
ENDING: list[SpendingFunction] = ["bonferroni", "pocock", "obrien_fleming"]


def look(night: int, alpha: float = 0.0, terms: AlphaSpending | None = None) -> Look:
    return Look(
        "champion",
        (f"challenger {night}",),
        f"test set {night}",
        alpha,
        spending=spending_terms(terms, BUDGET) if terms else None,
    )


def nights(terms: AlphaSpending, number: int) -> list[float]:
    """Return what each of a champion's nights may spend."""
    looks: list[Look] = []
    for night in range(number):
        alpha = spend(terms, BUDGET, looks, look(night)).alpha
        looks.append(look(night, alpha, terms))
    return [one.alpha for one in looks]


@pytest.mark.parametrize("function", ENDING)
def test_a_horizon_spends_the_whole_error_and_no_more(function: SpendingFunction) -> None:
    spent = nights(AlphaSpending(function=function, horizon=30), 30)
    assert math.fsum(spent) == pytest.approx(BUDGET, abs=2e-6)  # what is below 1e-6 is not spent
    assert math.fsum(spent) <= BUDGET + 1e-10


@pytest.mark.parametrize(
    ("function", "share", "expected"),
    [
        ("bonferroni", 0.5, BUDGET / 2),
        ("pocock", 0.5, BUDGET * math.log(1 + (math.e - 1) / 2)),
        ("obrien_fleming", 0.5, 0.00557),  # Lan and DeMets 1983: 2 − 2Φ(1.96·√2) at α = .05
        ("obrien_fleming", 1.0, BUDGET),
    ],
)
def test_half_way_each_function_has_spent_what_its_source_says(
    function: SpendingFunction, share: float, expected: float
) -> None:
    spent = nights(AlphaSpending(function=function, horizon=10), round(10 * share))
    assert math.fsum(spent) == pytest.approx(expected, abs=1e-5)


def test_bonferroni_gives_every_night_the_same() -> None:
    spent = nights(AlphaSpending(function="bonferroni", horizon=30), 30)
    assert spent == pytest.approx([BUDGET / 30] * 30)


def test_obrien_fleming_keeps_most_for_the_end() -> None:
    spent = nights(AlphaSpending(function="obrien_fleming", horizon=10), 10)
    assert spent[0] == 0  # 5.7e-10 is an error no replicates could show
    assert spent == sorted(spent)


def test_the_harmonic_error_never_ends() -> None:
    spent = nights(AlphaSpending(function="harmonic"), 200)
    assert spent[:3] == pytest.approx([BUDGET / 2, BUDGET / 6, BUDGET / 12])
    assert math.fsum(spent) < BUDGET
    assert all(alpha > 0 for alpha in spent)


def test_none_spends_all_of_it_every_night() -> None:
    assert nights(AlphaSpending(function="none"), 3) == [BUDGET] * 3


@pytest.mark.parametrize("function", ENDING)
def test_a_new_horizon_has_a_budget_of_its_own(function: SpendingFunction) -> None:
    spent = nights(AlphaSpending(function=function, horizon=5), 10)
    assert spent[5:] == pytest.approx(spent[:5])


def test_what_earlier_runs_took_beyond_their_share_is_missing_now() -> None:
    terms = AlphaSpending(function="bonferroni", horizon=10)
    spending = spend(terms, BUDGET, [look(0, BUDGET, terms)], look(1))
    assert spending.alpha == 0
    assert (spending.look, spending.spent) == (2, BUDGET)
    frugal = spend(terms, BUDGET, [look(0, 0.0)], look(1))
    assert frugal.alpha == pytest.approx(2 * BUDGET / 10)


def test_changed_terms_forget_nothing_that_was_spent() -> None:
    first = AlphaSpending(function="bonferroni", horizon=30)
    looks = []
    for night in range(15):
        looks.append(look(night, spend(first, BUDGET, looks, look(night)).alpha, first))
    for horizon in (1, 5, 15, 1000):  # 15 is a multiple of three of them: a new horizon began
        for night in range(15, 60):
            terms = AlphaSpending(function="bonferroni", horizon=horizon)
            found = spend(terms, BUDGET, looks, look(night))
            assert found.former == ("5\u00a0% by bonferroni over 30 runs",)
            looks.append(look(night, found.alpha, terms))
        assert math.fsum(one.alpha for one in looks) <= BUDGET + 1e-9
        del looks[15:]


@pytest.mark.parametrize("function", ["none", "harmonic", "pocock", "obrien_fleming"])
def test_another_function_or_confidence_spends_what_is_left(function: SpendingFunction) -> None:
    first = AlphaSpending(function="bonferroni", horizon=10)
    looks = [look(night, BUDGET / 10, first) for night in range(4)]
    other = AlphaSpending(function=function, horizon=2)
    for night in range(4, 40):
        # less confidence from now on: the least that was promised stays the bound
        looks.append(look(night, spend(other, 0.4, looks, look(night)).alpha, other))
    assert math.fsum(one.alpha for one in looks) <= BUDGET + 1e-9


def test_terms_that_were_not_recorded_are_taken_for_others() -> None:
    terms = AlphaSpending(function="bonferroni", horizon=1)
    found = spend(terms, BUDGET, [look(0, 0.02)], look(1))
    assert found.former == ("terms that were not recorded",)
    assert found.alpha == pytest.approx(0.03)


def test_terms_by_which_nothing_was_taken_change_nothing() -> None:
    terms = AlphaSpending(function="bonferroni", horizon=2)
    slip = replace(look(2), spending=SpendingTerms("harmonic", None, 0.2))
    looks = [look(0, 0.025, terms), look(1, 0.025, terms), slip]
    assert spend(terms, BUDGET, looks, look(3)).former == ()
    assert spend(terms, BUDGET, looks, look(3)).alpha > 0


def test_the_same_comparison_again_is_the_same_look() -> None:
    terms = AlphaSpending(function="pocock", horizon=10)
    earlier = [look(0, 0.004), look(1, 0.003), look(2, 0.002)]
    again = spend(terms, BUDGET, earlier, look(1))
    assert (again.look, again.alpha, again.repeated) == (2, 0.003, True)
    other = spend(terms, BUDGET, earlier, replace(look(1), test_set="fresh"))
    assert (other.look, other.repeated) == (4, False)


def test_a_small_error_takes_more_replicates() -> None:
    assert replicates_for(0.05, 1, 2000) == 2000
    assert replicates_for(0.05 / 30, 1, 2000) == 6000
    assert replicates_for(0.05 / 30, 5, 2000) == 30_000
    assert replicates_for(1e-6, 5, 2000) == 100_000
    assert replicates_for(1e-6, 5, 200_000) == 200_000


@pytest.mark.parametrize("candidates", [1, 3, 7])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 30, 1.1e-3, 7.0e-4])
def test_what_replicates_can_show_is_asked_of_them(alpha: float, candidates: int) -> None:
    assert can_show(alpha, replicates_for(alpha, candidates, 200), candidates)
    assert least_error(100_000, 1) == pytest.approx(1e-4)
    assert not can_show(0.05 / 30 / 18, replicates_for(0.05 / 30 / 18, 1, 200), 1)


def promoted_within(terms: AlphaSpending, run: int, horizon: int) -> bool:
    """Return whether any of a champion's nights promotes a challenger that is no better."""
    looks: list[Look] = []
    for night in range(horizon):
        alpha = spend(terms, BUDGET, looks, look(night)).alpha
        looks.append(look(night, alpha, terms))
        arms = candidates_without_gain(1000 * run + night, 1, users=120)
        replicates = replicates_for(alpha, 1, 200)
        found = compare(
            arms,
            {"ctr": Goal(task="click", weight=1.0)},
            confidence=1 - alpha,
            replicates=replicates,
            seed=night,
        )[0]
        if found.objective is not None and found.objective.lower > 0:
            return True
    return False


@pytest.mark.slow
def test_thirty_nights_of_one_champion_promote_falsely_as_rarely_as_promised() -> None:
    runs = 100
    spending = AlphaSpending(function="bonferroni", horizon=30)
    kept = np.mean([promoted_within(spending, run, 30) for run in range(runs)])
    every = AlphaSpending(function="none")
    unkept = np.mean([promoted_within(every, run, 30) for run in range(runs)])
    assert kept <= BUDGET + 2 * math.sqrt(BUDGET * (1 - BUDGET) / runs)
    # thirty independent nights at 5 %: 1 − .95^30 = 79 %
    assert unkept == pytest.approx(1 - 0.95**30, abs=4 * math.sqrt(0.79 * 0.21 / runs))


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Ledger], Path]:
    def write(ledger: Ledger) -> Path:
        ledger.write(tmp_path / "ledger.json")
        return tmp_path / "ledger.json"

    return write


def test_a_ledger_is_read_as_it_was_written(written: Callable[[Ledger], Path]) -> None:
    past = PastDecision("2024-03-01T00:00:00Z", "refused", None, 0.01, -0.01, ("gain_not_shown",))
    ledger = Ledger((look(0, 0.01),), (past,))
    assert read_ledger(written(ledger)) == ledger


def test_a_champion_sees_its_own_looks_once_each() -> None:
    other = replace(look(0), champion="former")
    ledger = Ledger((look(0, 0.01), other, look(0, 0.02), look(1, 0.03)))
    assert [one.alpha for one in ledger.of("champion").looks] == [0.01, 0.03]
    assert ledger.with_look(look(1, 0.5)) == ledger
    assert len(ledger.with_look(look(2)).looks) == 5
    assert ledger.with_look(None) == ledger


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "not a ledger"),
        ('{"looks": "x"}', "looks: not a ledger"),
        ('{"schema": "other/1"}', "this version reads"),
        (
            '{"looks": [{"champion": "c", "challengers": [], "test_set": "t", "alpha": 1.5}]}',
            r"looks\.0\.alpha: is 1\.5, must be at least 0",
        ),
    ],
)
def test_what_is_no_ledger_is_refused(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "ledger.json").write_text(text)
    with pytest.raises(ShopguideError, match=what):
        read_ledger(tmp_path / "ledger.json")


def test_a_ledger_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match="cannot be read"):
        read_ledger(tmp_path / "none.json")
