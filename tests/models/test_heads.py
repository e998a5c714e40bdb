"""The heads against closed forms and scipy."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import lognorm

from shopguide.models.heads import (
    HEADS,
    AmountHead,
    BinaryHead,
    CategoryHead,
    EventOutcome,
    FunnelHead,
    Head,
    HuberLogHead,
    LabelStatistics,
    TweedieHead,
    ZilnHead,
    ZilnOutcome,
)
from shopguide.models.heads.amount import MAX_LOG_MEAN
from shopguide.models.heads.ziln import SIGMA_RANGE
from shopguide.spec.parts import amount_losses


def set_outputs(head: torch.nn.Module, *biases: float) -> None:
    """Make the head's only layer return the biases for every row."""
    (layer,) = (m for m in head.modules() if isinstance(m, torch.nn.Linear))
    torch.nn.init.zeros_(layer.weight)
    layer.bias.data = torch.tensor(biases)


def outcome_of(p: float) -> EventOutcome:
    return EventOutcome(torch.tensor([math.log(p)]), torch.tensor([math.log1p(-p)]))


H = torch.zeros(1, 4)


@pytest.mark.parametrize("z", [-90.0, -3.0, 0.0, 3.0, 90.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_binary_loss_is_cross_entropy_on_the_logit(z: float, label: float) -> None:
    head = BinaryHead(4, bias=0.0)
    set_outputs(head, z)
    found = head.loss(head(H, None), torch.tensor([label]))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.tensor([z]), torch.tensor([label])
    )
    torch.testing.assert_close(found[0], expected)


def test_a_stage_is_its_parent_times_the_conditional() -> None:
    head = FunnelHead(4, bias=0.0)
    set_outputs(head, math.log(0.25 / 0.75))
    outcome = head(H, outcome_of(0.4))
    assert outcome.expected().item() == pytest.approx(0.1, rel=1e-5)
    assert outcome.log_q.exp().item() == pytest.approx(0.9, rel=1e-5)
    assert head.loss(outcome, torch.tensor([1.0])).item() == pytest.approx(-math.log(0.1), rel=1e-5)
    assert head.loss(outcome, torch.tensor([0.0])).item() == pytest.approx(-math.log(0.9), rel=1e-5)


@pytest.mark.parametrize("z", [-200.0, 200.0])
@pytest.mark.parametrize("parent_z", [-200.0, 200.0])
def test_a_funnel_stays_finite_where_probabilities_round_to_0_or_1(
    z: float, parent_z: float
) -> None:
    click, cart = BinaryHead(4, bias=0.0), FunnelHead(4, bias=0.0)
    set_outputs(click, parent_z)
    set_outputs(cart, z)
    for label in (0.0, 1.0):
        h = torch.ones(1, 4, requires_grad=True)
        loss = cart.loss(cart(h, click(h, None)), torch.tensor([label]))
        loss.backward()
        assert torch.isfinite(loss).all()
        assert all(torch.isfinite(p.grad).all() for p in cart.parameters() if p.grad is not None)


def test_the_amount_loss_is_the_lognormal_density_of_positive_rows_over_their_rate() -> None:
    rate, mu, sigma = 0.2, 1.1, 0.6
    head = ZilnHead.build(4, LabelStatistics(rate, log_mean=mu, log_std=sigma), has_parent=True)
    outcome = head(torch.zeros(3, 4), EventOutcome(*torch.full((2, 3), -0.7)))
    y = torch.tensor([0.0, 0.5, 20.0])
    density = -lognorm.logpdf(y[1:].numpy(), s=sigma, scale=math.exp(mu)) / rate
    np.testing.assert_allclose(head.loss(outcome, y).detach(), [0.0, *density], rtol=1e-5)


def test_an_amount_without_a_parent_pays_for_its_own_probability_too() -> None:
    head = ZilnHead.build(4, LabelStatistics(0.2), has_parent=False)
    loss = head.loss(head(H, None), torch.zeros(1)).item()
    assert loss == pytest.approx(-math.log(0.8), abs=0.1)  # tolerance: initial weights of .01 × 0
    assert head(H, None).expected().item() == pytest.approx(0.2 * math.exp(0.5), rel=1e-5)


def test_the_expected_amount_is_p_exp_mu_plus_half_sigma_squared() -> None:
    mu, sigma, p = 0.7, 0.5, 0.3
    head = ZilnHead.build(4, LabelStatistics(p, log_mean=mu, log_std=sigma), has_parent=True)
    drawn = np.random.default_rng(0).lognormal(mu, sigma, 400_000)
    standard_error = drawn.std() / math.sqrt(len(drawn))
    expected = head(H, outcome_of(p)).expected().item()
    assert expected == pytest.approx(p * drawn.mean(), abs=4 * p * standard_error)


def test_extreme_outputs_give_finite_amounts_and_sane_sigmas() -> None:
    head = ZilnHead.build(4, LabelStatistics(0.1), has_parent=True)
    for raw in (-1e4, 1e4):
        set_outputs(head, raw, raw)
        outcome = head(H, outcome_of(0.5))
        assert isinstance(outcome, ZilnOutcome)
        assert SIGMA_RANGE[0] <= outcome.sigma.item() <= SIGMA_RANGE[1]
        assert 0 <= outcome.expected().item() <= 0.5 * math.exp(MAX_LOG_MEAN) * 1.001


def test_heads_start_at_the_label_statistics() -> None:
    parent = outcome_of(0.4)
    h = torch.randn(2000, 4)
    many = EventOutcome(parent.log_p.expand(2000), parent.log_q.expand(2000))
    torch.manual_seed(0)
    binary = BinaryHead.build(4, LabelStatistics(0.23), has_parent=False)
    stage = FunnelHead.build(4, LabelStatistics(0.1, 0.4), has_parent=True)
    # weights of deviation .01 move a logit by about .02: p by at most .005
    assert binary(h, None).expected().mean().item() == pytest.approx(0.23, abs=0.01)
    assert stage(h, many).expected().mean().item() == pytest.approx(0.1, abs=0.01)


STATISTICS = LabelStatistics(0.2, 0.4, 1.1, 0.6, class_rates=(0.2, 0.5, 0.3))
PARENT = EventOutcome(torch.full((3,), math.log(0.2)), torch.full((3,), math.log(0.8)))


@pytest.fixture(params=sorted(HEADS))
def head(request: pytest.FixtureRequest) -> Head:
    torch.manual_seed(0)
    return HEADS[request.param].build(4, STATISTICS, has_parent=request.param == "funnel")


def labels_of(head: Head) -> torch.Tensor:
    return torch.tensor(
        {"binary": [0.0, 1.0, 1.0], "category": [0.0, 2.0, 1.0]}.get(head.label, [0.0, 3.5, 400.0])
    )


def test_every_head_has_a_finite_loss_that_teaches_all_its_parameters(head: Head) -> None:
    outcome = head(torch.randn(3, 4), PARENT)
    loss = head.loss(outcome, labels_of(head))
    assert loss.shape == (3,)
    loss.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())
    assert torch.isfinite(outcome.expected()).all()


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_every_head_stays_finite_at_extreme_inputs(head: Head, scale: float) -> None:
    h = torch.full((3, 4), scale)
    outcome = head(h, PARENT)
    assert torch.isfinite(outcome.expected()).all()
    assert (outcome.expected() >= 0).all()


@pytest.mark.parametrize("name", sorted(amount_losses()))
@pytest.mark.parametrize("has_parent", [True, False])
def test_every_amount_head_starts_at_the_mean_of_its_statistics(
    name: str, has_parent: bool
) -> None:
    head = HEADS[name].build(4, STATISTICS, has_parent=has_parent)
    assert isinstance(head, AmountHead)
    found = head(torch.zeros(3, 4), PARENT if has_parent else None).expected()
    expected = 0.2 * math.exp(1.1 + 0.6**2 / 2)
    torch.testing.assert_close(found, torch.full((3,), expected), rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["tweedie", "ziln"])
@pytest.mark.parametrize("shape", ["lognormal", "gamma"])
def test_the_mean_of_a_group_is_learnt(name: str, shape: str) -> None:
    """Two groups of rows whose payments differ in mean by 3; Tweedie needs no lognormal."""
    rng = np.random.default_rng(0)
    group = torch.arange(2).repeat(20_000)
    draws = rng.lognormal(0, 0.5, 40_000) if shape == "lognormal" else rng.gamma(0.5, 2, 40_000)
    paid = rng.random(40_000) < 0.3
    y = torch.tensor(np.where(paid, draws * np.where(group.numpy(), 3.0, 1.0), 0)).float()
    log_y = y[y > 0].log()
    rate = float((y > 0).float().mean())
    statistics = LabelStatistics(rate, 1.0, float(log_y.mean()), float(log_y.std()))
    head = HEADS[name].build(2, statistics, has_parent=False)
    h = torch.nn.functional.one_hot(group, 2).float()
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = head.loss(head(h, None), y).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    found = head(h, None).expected()
    for code in (0, 1):
        mean = float(y[group == code].mean())
        off = abs(float(found[group == code][0].detach()) / mean - 1)
        if name == "tweedie" or shape == "lognormal":
            assert off < 0.02  # the score of the deviance is zero at the mean of the group
        else:
            assert off > 0.2  # what the lognormal pays for a shape that is not its own


def test_huber_counts_a_wild_payment_linearly() -> None:
    head = HuberLogHead.build(4, STATISTICS, has_parent=True)
    y = torch.exp(1.1 + 0.6 * torch.tensor([0.5, 3.0, 6.0]))  # residuals of .5, 3 and 6 deviations
    set_outputs(head, 1.1)
    found = head.loss(head(torch.zeros(3, 4), PARENT), y).detach()
    np.testing.assert_allclose(found, np.array([0.125, 2.5, 5.5]) / 0.2, rtol=1e-5)


def test_tweedie_does_not_know_the_currency() -> None:
    y, h = torch.tensor([0.0, 2.0, 9.0]), torch.zeros(3, 4)
    cents = LabelStatistics(0.2, 0.4, 1.1 + math.log(100), 0.6)
    in_euro, in_cents = (
        TweedieHead.build(4, statistics, has_parent=True) for statistics in (STATISTICS, cents)
    )
    torch.testing.assert_close(
        in_euro.loss(in_euro(h, PARENT), y), in_cents.loss(in_cents(h, PARENT), 100 * y)
    )


def test_a_category_starts_at_the_rates_and_its_loss_is_cross_entropy() -> None:
    head = CategoryHead.build(4, STATISTICS, has_parent=False)
    outcome = head(torch.zeros(2, 4), None)
    np.testing.assert_allclose(outcome.expected().detach(), [[0.2, 0.5, 0.3]] * 2, rtol=1e-5)
    z, code = torch.tensor([0.3, -1.0, 2.0]), torch.tensor([2.0, 0.0])
    set_outputs(head, *z.tolist())
    expected = torch.nn.functional.cross_entropy(z.expand(2, 3), code.long(), reduction="none")
    torch.testing.assert_close(head.loss(head(torch.zeros(2, 4), None), code), expected)


def test_a_shift_moves_the_logit() -> None:
    found = outcome_of(0.2).shifted(math.log(4))  # odds of 1/4 become 1
    assert found.expected().item() == pytest.approx(0.5)
    assert found.log_q.exp().item() == pytest.approx(0.5)
