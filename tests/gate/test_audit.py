"""The audit finds the error rates that theory promises, on data of known truth."""

import json
import subprocess
from pathlib import Path
from shutil import which

import numpy as np
import pytest
from scipy.stats import norm

from shopguide.errors import ShopguideError
from shopguide.gate import Audit, audit, write_audit
from shopguide.gate.arms import Arms
from shopguide.gate.audit_report import audit_html
from shopguide.gate.family_audit import spent_by_night
from shopguide.gate.relabelling import relabel
from shopguide.gate.statistics import compare
from shopguide.spec.gate import AlphaSpending, Gate
from shopguide.spec.objective import Goal
from tests.gate.conftest import VAGUE, Shop
from tests.gate.test_decide import changed
from tests.gate.test_report import Page

GATE = Gate(min_gain=0.0, replicates=400, margins={"ctr": 0.5})
GOALS = {"ctr": Goal(task="click", weight=1.0)}

ALONE = {"challengers": 1, "nights": 1}
"""No families: they have tests of their own."""


def arms(users: int = 500) -> Arms:
    """Two rankings that bring each user Poisson(5) clicks, half of them the same ones."""
    rng = np.random.default_rng(0)
    shared, one, two = (rng.poisson(2.5, users) for _ in range(3))
    sums = [(shared + own)[:, None].astype(np.float64) for own in (one, two)]
    return Arms(("click",), sums[0], sums[1], np.ones(users))


@pytest.fixture(scope="module")
def measured(shop: Shop) -> Audit:
    spec = changed(shop.spec, replicates=400, margins={"ctr": 0.2, "sales": 0.2})
    return audit(
        spec, shop.model("good"), shop.test_set, shop.model("vague", VAGUE), runs=2000, nights=5
    )


@pytest.fixture(scope="module")
def whole(shop: Shop) -> Audit:
    margins = {"ctr": 0.2, "sales": 0.2}
    spec = changed(shop.spec, replicates=200, margins=margins, alpha_spending=AlphaSpending())
    pair = (shop.model("good"), shop.test_set, shop.model("vague", VAGUE))
    return audit(spec, *pair, runs=200, challengers=2, nights=3)


def test_exchanged_users_keep_what_they_brought_in_all() -> None:
    pair = arms()
    exchanged = np.random.default_rng(1).random(500) < 0.5
    other = pair.swapped(exchanged)
    assert (other.reference + other.challenger == pair.reference + pair.challenger).all()
    assert (other.reference[exchanged] == pair.challenger[exchanged]).all()
    assert (other.reference[~exchanged] == pair.reference[~exchanged]).all()


def test_false_promotions_are_as_rare_as_promised(measured: Audit) -> None:
    error = np.sqrt(0.05 * 0.95 / measured.runs)
    assert measured.false_gain <= 0.05 + 2 * error
    assert measured.false_promotion <= measured.false_gain
    low, high = measured.false_promotion_ci
    assert low < measured.false_promotion < high
    assert measured.false_by_estimate == pytest.approx(0.5, abs=0.05)


def test_power_is_that_of_the_test_that_knows_the_variance(measured: Audit) -> None:
    for point in measured.power:
        assert point.by_gain == pytest.approx(point.oracle, abs=0.05)


def test_each_goals_power_is_that_of_the_test_that_knows_its_variance(measured: Audit) -> None:
    assert set(measured.goal_power) == {"ctr", "sales"}
    for curve in measured.goal_power.values():
        assert [point.gain for point in curve] == sorted(point.gain for point in curve)
        for point in curve:
            assert point.power == pytest.approx(point.oracle, abs=0.05)


def test_the_least_gain_is_the_closed_form(measured: Audit) -> None:
    # normal test on log J: z_.95 + z_.80 standard errors
    width = (norm.ppf(0.95) + norm.ppf(0.8)) * measured.standard_error
    assert measured.minimum_detectable_gain == pytest.approx(np.expm1(width), rel=0.1)
    assert measured.days_needed == pytest.approx(measured.days * (width / 0.01) ** 2)


def test_a_planted_gain_moves_the_bound_as_stated() -> None:
    pair = arms()
    found = relabel(pair, GOALS, GATE, runs=1, seed=3)
    numbers = np.random.SeedSequence([3, 0])
    swapped = pair.swapped(np.random.default_rng(numbers).random(500) < 0.5)
    seed = int(numbers.generate_state(1, np.uint64)[0])
    gain = float(found.gain_needed[0])
    for step, passes in ((-1e-6, False), (1e-6, True)):
        planted = Arms(
            swapped.tasks,
            swapped.reference,
            swapped.challenger * (1 + gain + step),
            swapped.requests,
        )
        judged = compare([planted], GOALS, confidence=0.95, replicates=400, seed=seed)[0].objective
        assert judged is not None
        assert (judged.lower > 0) is passes


def test_relabelling_has_the_spread_of_independent_signs() -> None:
    pair = arms()
    found = relabel(pair, GOALS, GATE, runs=1500, seed=0)
    difference = (pair.challenger - pair.reference)[:, 0]
    total = (pair.challenger + pair.reference)[:, 0].sum()
    # J − 1 ≈ 2·Σ ±d_u / Σ (a_u + b_u) to first order: variance 4·Σ d² / total²
    truth = 2 * np.sqrt((difference**2).sum()) / total
    assert found.estimates.std() == pytest.approx(truth, rel=4 / np.sqrt(2 * 1500))


def test_a_tight_margin_costs_power() -> None:
    tight = GATE.model_copy(update={"min_gain": 0.0, "margins": {}})
    loose = relabel(arms(), GOALS, GATE, runs=100, seed=0)
    strict = relabel(arms(), GOALS, tight, runs=100, seed=0)
    assert (strict.promotion_needed >= loose.promotion_needed).all()
    assert (strict.promotion_needed == strict.gain_needed).all()  # one goal: J is that goal


def test_equal_seeds_give_equal_audits(shop: Shop) -> None:
    spec = changed(shop.spec, replicates=200)
    one, two = (
        audit(
            spec,
            shop.model("good"),
            shop.test_set,
            shop.model("vague", VAGUE),
            runs=100,
            challengers=1,
            nights=1,
        )
        for _ in range(2)
    )
    assert one == two


def test_without_a_champion_the_baseline_is_compared_with(shop: Shop) -> None:
    spec = changed(shop.spec, replicates=200)
    found = audit(spec, shop.model("good"), shop.test_set, runs=100, **ALONE)
    assert found.against == "ranking by popularity"
    with pytest.raises(ShopguideError, match="neither a champion nor a baseline"):
        audit(
            changed(spec, baseline=None),
            shop.model("good"),
            shop.test_set,
            runs=100,
            challengers=1,
            nights=1,
        )


def test_models_that_rank_alike_cannot_be_audited(shop: Shop) -> None:
    with pytest.raises(ShopguideError, match="ranks just like the champion"):
        audit(
            shop.spec,
            shop.model("good"),
            shop.test_set,
            shop.model("twin", seed=1),
            runs=100,
            challengers=1,
            nights=1,
        )


def test_families_are_measured_beside_the_single_comparison(whole: Audit) -> None:
    assert whole.several is not None
    assert whole.nightly is not None
    assert (whole.several.members, whole.nightly.members) == (2, 3)
    for family in (whole.several, whole.nightly):
        low, high = family.false_promotion_ci
        assert low <= family.false_promotion <= high
        assert family.false_promotion <= family.uncorrected


def test_the_first_night_needs_the_gain_that_its_share_of_the_error_asks_for(whole: Audit) -> None:
    night = whole.nightly
    assert night is not None
    assert night.function == "bonferroni"
    assert night.alpha == pytest.approx(0.05 / 30)
    # normal test on log J, as above, with the night's z
    width = (norm.ppf(1 - night.alpha) + norm.ppf(0.8)) * whole.standard_error
    assert night.minimum_detectable_gain == pytest.approx(np.expm1(width), rel=0.25)
    assert night.days_needed == pytest.approx(whole.days * (width / 0.01) ** 2)


@pytest.mark.parametrize(
    ("function", "alphas"),
    [
        ("none", [0.05, 0.05, 0.05]),
        ("bonferroni", [0.05 / 30] * 3),
        ("harmonic", [0.05 / 2, 0.05 / 6, 0.05 / 12]),
    ],
)
def test_nights_take_what_the_spec_gives_them(function: str, alphas: list[float]) -> None:
    gate = Gate(alpha_spending={"function": function})
    assert spent_by_night(gate, 3) == pytest.approx(alphas)


def test_the_page_says_what_the_file_says(whole: Audit, tmp_path: Path) -> None:
    write_audit(whole, tmp_path)
    content = json.loads((tmp_path / "audit.json").read_text())
    assert {"false_promotion", "false_promotion_ci", "runs", "power"} <= content.keys()
    page = Page(audit_html(whole))
    assert page.links == ["data:,"]
    assert len(page.figures) > 30
    for path, value, _ in page.figures:
        found = content
        for key in path.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]
        assert str(found) == value


@pytest.mark.browser
def test_chromium_draws_the_page_without_a_complaint(whole: Audit, tmp_path: Path) -> None:
    browser = which("chromium") or which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    write_audit(whole, tmp_path)
    page = tmp_path / "audit.html"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    ran = subprocess.run(
        [
            *(browser, *options, "--enable-logging=stderr", "--dump-dom"),
            *(f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in ran.stderr
    assert Page(ran.stdout).figures == Page(page.read_text()).figures
