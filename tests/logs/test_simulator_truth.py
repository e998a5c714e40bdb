"""What the simulator says is true is what its draws come to."""

from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import expon, kstest

from shopguide.errors import ShopguideError
from shopguide.logs.simulator import OUTCOMES, Outcome, Shop, simulate
from shopguide.logs.simulator.funnel import CART_HOURS
from shopguide.objective.replay import Requests, user_sums
from shopguide.spec import Spec, check_text
from shopguide.spec.objective import Discount
from shopguide.spec.simulator import Simulator

SIGMAS = 4  # of a sum of independent draws: 6e-5 two-sided

FLAT = {"taste": 0, "popularity": 0, "drift": 0, "aversion": 0}


def parameters(**changes: object) -> Simulator:
    small = {"users": 400, "items": 60, "list_length": 6, "seed": 5}
    return Simulator(source="simulator", **(small | changes))  # type: ignore[arg-type]


def variance(shop: Shop, outcome: Outcome, chance: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Of one impression's outcome, given the chance that it is above zero and its mean."""
    if outcome != "money":
        return chance * (1 - chance)
    paid = np.divide(mean, chance, out=np.zeros_like(mean), where=chance > 0)
    return chance * paid**2 * np.exp(shop.parameters.amount_spread**2) - mean**2


def variances(shop: Shop, outcome: Outcome) -> np.ndarray:
    chance = shop.expected("purchase" if outcome == "money" else outcome)
    return variance(shop, outcome, chance, shop.expected(outcome))


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate(parameters())


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_outcomes_have_their_true_means_at_every_position(shop: Shop, outcome: Outcome) -> None:
    missed = (shop.drawn.of(outcome) - shop.expected(outcome)).sum(axis=0)
    assert (np.abs(missed) < SIGMAS * np.sqrt(variances(shop, outcome).sum(axis=0))).all()


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_logging_policys_value_is_what_the_log_brought(shop: Shop, outcome: Outcome) -> None:
    rows = len(shop.lists.user)
    truth = shop.true_value(shop.logging_policy(), outcome)
    # the lists are one draw from the policy, the outcomes another: both vary
    brought = shop.drawn.of(outcome).sum(axis=1)
    assert abs(brought.mean() - truth) < SIGMAS * brought.std() / np.sqrt(rows)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_policys_value_is_what_it_brings_when_it_runs(shop: Shop, outcome: Outcome) -> None:
    scores = np.random.default_rng(0).normal(size=shop.lists.item.shape)
    rank = (-scores).argsort(axis=1).argsort(axis=1) + 1
    day = shop.lists.day[:, None]
    seen = (shop.lists.user[:, None], shop.lists.item, day, rank)
    chance = shop.true_probability("purchase" if outcome == "money" else outcome, *seen)
    mean = shop.true_probability(outcome, *seen)
    stream = np.random.default_rng(1)
    brought = (stream.random(chance.shape) < chance).astype(np.float64)
    if outcome == "money":
        spread = shop.parameters.amount_spread
        brought *= mean / chance * stream.lognormal(-(spread**2) / 2, spread, chance.shape)
    rows = len(scores)
    error = np.sqrt(variance(shop, outcome, chance, mean).sum()) / rows
    assert abs(brought.sum() / rows - shop.true_value(scores, outcome)) < SIGMAS * error


def test_importance_weights_have_mean_one_and_recover_another_policys_value(shop: Shop) -> None:
    policy = shop.expected("money", examined=True)
    weight = shop.logged_probability(policy) / shop.lists.propensity
    rows, length = weight.shape
    # of a ranking: π is 1 for one entry a position, so E[w²] = Σ_entries π²/p ≤ L/ε
    most = length / shop.parameters.exploration
    assert weight.max() <= most + 1e-9
    assert (np.abs(weight.mean(axis=0) - 1) < SIGMAS * np.sqrt(most / rows)).all()
    estimate = (weight * shop.drawn.of("click")).sum(axis=1)
    error = estimate.std() / np.sqrt(rows)
    assert abs(estimate.mean() - shop.true_value(policy, "click")) < SIGMAS * error


def test_inverse_propensities_take_the_position_bias_out_of_a_replay(spec: Spec) -> None:
    found = simulate(parameters(exploration=0.7, users=2000, position_bias=1.0))
    policy, discount = found.expected("click", examined=True), Discount(kind="dcg", k=3)
    table = found.labelled(spec)
    at = table.column_names.index("sample_weight")
    inverse = pa.array(1 / found.lists.propensity.ravel())
    requests = Requests.from_table(table.set_column(at, "sample_weight", inverse), spec)
    brought = user_sums(requests, policy.ravel(), ["seen"], discount)[:, 0]
    # wherever an item was shown, E[o/p] = Σ_k p_k · e_k · g / p_k = g · Σ e
    truth = found.true_value(policy, "click", discount=discount) * found.examined().sum()
    rows, users = len(found.lists.user), len(brought)
    noise = brought - truth * requests.requests_per_user()
    assert abs(brought.sum() / rows - truth) < SIGMAS * noise.std() * np.sqrt(users) / rows


def test_without_tastes_the_chances_are_those_of_the_parameters() -> None:
    found = simulate(parameters(**FLAT, price_spread=0, budget_spread=0, position_bias=1.0))
    place = 1 / np.arange(1, 7)
    chance = 0.2 * 0.4 * 0.5
    for outcome, rate in (("click", 0.2), ("cart", 0.2 * 0.4), ("purchase", chance)):
        assert found.expected(outcome) == pytest.approx(
            np.tile(rate * place, (len(found.lists.user), 1))
        )  # type: ignore[arg-type]
    assert found.true_value(found.lists.propensity, "click") == pytest.approx(0.2 * place.sum())
    aov = found.true_value(found.lists.propensity, "money", per="purchase")
    assert aov == pytest.approx(20.0 * np.exp(0.4**2 / 2))  # price × mean of lognormal(0, 0.4)


def test_ranking_by_relevance_is_the_best_order_of_every_list() -> None:
    found = simulate(parameters(list_length=4, users=20))
    best = found.true_value(found.expected("money", examined=True), "money")
    rows = len(found.lists.user)
    worth, money = found.examined(), found.relevance["money"]
    every = np.array([money[:, list(order)] @ worth for order in permutations(range(4))])
    assert best == pytest.approx(every.max(axis=0).sum() / rows)


def test_equal_scores_share_their_places() -> None:
    found = simulate(parameters(users=50))
    shape = found.lists.item.shape
    uniform = np.full((*shape, shape[1]), 1 / shape[1])
    equal = found.true_value(np.zeros(shape), "click")
    assert equal == pytest.approx(found.true_value(uniform, "click"))
    pairs = np.repeat([[2.0, 1.0, 0.0]], shape[0], axis=0).repeat(2, axis=1)
    place = np.zeros((6, 6))
    for first in (0, 2, 4):
        place[first : first + 2, first : first + 2] = 0.5
    placements = np.broadcast_to(place, (*shape, shape[1]))
    assert found.true_value(pairs, "money") == pytest.approx(found.true_value(placements, "money"))
    same = found.logged_probability(pairs) == found.logged_probability(placements)
    assert same.all()


def test_a_discount_replaces_the_shops_own_worth_of_a_rank(shop: Shop) -> None:
    scores = shop.expected("click", examined=True)
    found = shop.true_value(scores, "click", discount=Discount(kind="dcg", k=2))
    first, second = -np.sort(-scores, axis=1)[:, :2].T
    assert found == pytest.approx((first + second / np.log2(3)).mean())
    top = shop.true_value(scores, "click", discount=Discount(kind="top_k", k=6))
    assert top == pytest.approx(scores.sum(axis=1).mean())


def test_position_bias_can_be_recovered_from_shuffled_lists() -> None:
    found = simulate(parameters(exploration=1.0, users=4000, position_bias=0.8))
    clicks = found.drawn.click.mean(axis=0)
    rows = len(found.lists.user)
    # log CTR falls by η for each unit of log k; its variance is (1 − p)/(p·R) by the delta method
    x = np.log(np.arange(1, 7))
    precision = clicks * rows / (1 - clicks)
    centred = x - np.average(x, weights=precision)
    slope = (precision * centred * np.log(clicks)).sum() / (precision * centred**2).sum()
    assert abs(slope + 0.8) < SIGMAS / np.sqrt((precision * centred**2).sum())


def test_the_funnel_is_nested(shop: Shop) -> None:
    drawn = shop.drawn
    assert (drawn.click >= drawn.cart).all()
    assert (drawn.cart >= drawn.purchase).all()
    assert ((drawn.money > 0) == drawn.purchase).all()
    assert (np.isnan(drawn.delay) == ~drawn.purchase).all()


def test_an_items_appeal_drifts_by_its_trend_and_the_log_shows_it() -> None:
    found = simulate(parameters(drift=1.5, users=2000, popularity=0))
    item, user = np.arange(60), np.arange(60)
    ends = [found.true_probability("click", user, item, np.array(day)) for day in (0.0, 56.0)]
    change = np.log(ends[1] / (1 - ends[1])) - np.log(ends[0] / (1 - ends[0]))
    assert change == pytest.approx(found.items.trend)
    rising = found.items.trend[found.lists.item] > 0
    late = np.broadcast_to(found.lists.day[:, None] > 28, rising.shape)
    odds, errors = 0.0, 0.0
    for up in (True, False):
        for after in (True, False):
            cell = found.drawn.click[(rising == up) & (late == after)]
            odds += (1 if up == after else -1) * np.log(cell.mean() / (1 - cell.mean()))
            errors += 1 / (len(cell) * cell.mean() * (1 - cell.mean()))
    assert odds > SIGMAS * np.sqrt(errors)


def test_purchases_come_as_late_as_declared(shop: Shop) -> None:
    late = shop.drawn.delay[shop.drawn.purchase] - CART_HOURS
    declared = expon(scale=shop.parameters.delay_hours)
    assert kstest(late, declared.cdf).pvalue > 1e-4
    soon = (shop.drawn.delay[shop.drawn.purchase] < 6).mean()
    share = shop.expected("purchase", within_hours=6).sum() / shop.expected("purchase").sum()
    assert share == pytest.approx(declared.cdf(6 - CART_HOURS))
    assert abs(soon - share) < SIGMAS * np.sqrt(share * (1 - share) / len(late))


@pytest.mark.parametrize("agreement", [-0.5, 0.0, 1.0])
def test_tastes_for_clicking_and_for_buying_agree_as_declared(agreement: float) -> None:
    found = simulate(parameters(agreement=agreement, users=4000, requests_per_user=1)).users
    correlation = np.corrcoef(found.click_taste.ravel(), found.buy_taste.ravel())[0, 1]
    error = (1 - agreement**2) / np.sqrt(found.click_taste.size)
    assert abs(correlation - agreement) <= SIGMAS * error + 1e-12


def test_goals_conflict_so_that_there_is_a_trade_off_to_solve(shop: Shop) -> None:
    clicks, money = (shop.expected(outcome, examined=True) for outcome in ("click", "money"))
    assert shop.true_value(clicks, "click") > 1.02 * shop.true_value(money, "click")
    assert shop.true_value(money, "money") > 1.02 * shop.true_value(clicks, "money")


def test_equal_seeds_give_equal_shops_and_new_luck_keeps_the_lists(shop: Shop) -> None:
    same, other = simulate(parameters()), simulate(parameters(), seed=6)
    assert (same.drawn.click == shop.drawn.click).all()
    assert (same.drawn.money == shop.drawn.money).all()
    assert other.items.price[0] != shop.items.price[0]
    again = shop.redrawn(1)
    assert again.lists is shop.lists
    assert (again.drawn.click != shop.drawn.click).any()
    assert (again.drawn.click == shop.redrawn(1).drawn.click).all()


@pytest.fixture(scope="module")
def spec() -> Spec:
    return check_text(
        """
        name: shop
        data: {source: simulator}
        split:
          train: {start: 2024-01-08, end: 2024-02-05}
          valid: {start: 2024-02-05, end: 2024-02-12}
          test: {start: 2024-02-12, end: 2024-02-26}
        tasks:
          seen: {kind: binary, event: click}
          bought: {kind: binary, event: purchase, after: seen}
          paid: {kind: amount, event: purchase, after: bought}
        objective:
          goals:
            ctr: {task: seen, weight: 0.5}
            aov: {task: paid, per: bought, weight: 0.5}
        """,
        where="spec",
    )


def test_goals_of_a_spec_have_true_values(shop: Shop, spec: Spec) -> None:
    policy, reference = shop.expected("money", examined=True), shop.logging_policy()
    found = shop.true_values(policy, spec)
    assert found["ctr"] == shop.true_value(policy, "click")
    assert found["aov"] == shop.true_value(policy, "money", per="purchase")
    against = shop.true_values(reference, spec)
    gained = 0.5 * found["ctr"] / against["ctr"] + 0.5 * found["aov"] / against["aov"]
    assert shop.true_objective(policy, reference, spec) == pytest.approx(gained)
    assert shop.true_objective(reference, reference, spec) == pytest.approx(1.0)


def test_rows_of_a_log_find_their_truth(shop: Shop, spec: Spec) -> None:
    table = shop.labelled(spec, expected=True)
    order = np.random.default_rng(0).permutation(table.num_rows)[:500]
    rows = table.take(order)
    assert (shop.truth_of(rows, "purchase") == rows.column("bought").to_numpy()).all()
    examined = shop.labelled(spec, expected=True, examined=True).take(order)
    found = shop.truth_of(rows, "money", examined=True)
    assert (found == examined.column("paid").to_numpy()).all()
    other = simulate(parameters(), seed=6).impressions()
    foreign = pa.table({"request_id": ["r" + "9" * 30, "x"], "item_id": ["", None]})
    for strange in (other, foreign):
        with pytest.raises(ShopguideError, match="this shop did not show that item there"):
            shop.truth_of(strange, "click")


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        (np.zeros((2, 2)), r"has the shape \(2, 2\)"),
        (np.nan, "holds what is not finite"),
        (0.1, "placements sum to other than 1, by 0.4"),
    ],
)
def test_a_policy_that_is_none_is_refused(shop: Shop, policy: object, what: str) -> None:
    shape = shop.lists.item.shape
    if isinstance(policy, float):
        policy = np.full(shape if np.isnan(policy) else (*shape, shape[1]), policy)
    with pytest.raises(ShopguideError, match=what):
        shop.true_value(policy, "click")  # type: ignore[arg-type]
