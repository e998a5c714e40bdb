"""The heads against closed forms and scipy."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import lognorm

from shopguide.models.heads import (
    AmountHead,
    AmountOutcome,
    BinaryHead,
    FunnelHead,
    LabelStatistics,
    Outcome,
)
from shopguide.models.heads.amount import MAX_LOG_MEAN, SIGMA_RANGE


def set_outputs(head: torch.nn.Module, *biases: float) -> None:
    """Make the head's only layer return the biases for every row."""
    (layer,) = (m for m in head.modules() if isinstance(m, torch.nn.Linear))
    torch.nn.init.zeros_(layer.weight)
    layer.bias.data = torch.tensor(biases)


def outcome_of(p: float) -> Outcome:
    return Outcome(torch.tensor([math.log(p)]), torch.tensor([math.log1p(-p)]))


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
    head = AmountHead(4, LabelStatistics(rate, log_mean=mu, log_std=sigma), has_parent=True)
    outcome = head(torch.zeros(3, 4), Outcome(*torch.full((2, 3), -0.7)))
    y = torch.tensor([0.0, 0.5, 20.0])
    density = -lognorm.logpdf(y[1:].numpy(), s=sigma, scale=math.exp(mu)) / rate
    np.testing.assert_allclose(head.loss(outcome, y).detach(), [0.0, *density], rtol=1e-5)


def test_an_amount_without_a_parent_pays_for_its_own_probability_too() -> None:
    head = AmountHead(4, LabelStatistics(0.2), has_parent=False)
    loss = head.loss(head(H, None), torch.zeros(1)).item()
    assert loss == pytest.approx(-math.log(0.8), abs=0.1)  # tolerance: initial weights of .01 × 0
    assert head(H, None).expected().item() == pytest.approx(0.2 * math.exp(0.5), rel=1e-5)


def test_the_expected_amount_is_p_exp_mu_plus_half_sigma_squared() -> None:
    mu, sigma, p = 0.7, 0.5, 0.3
    head = AmountHead(4, LabelStatistics(p, log_mean=mu, log_std=sigma), has_parent=True)
    drawn = np.random.default_rng(0).lognormal(mu, sigma, 400_000)
    standard_error = drawn.std() / math.sqrt(len(drawn))
    expected = head(H, outcome_of(p)).expected().item()
    assert expected == pytest.approx(p * drawn.mean(), abs=4 * p * standard_error)


def test_extreme_outputs_give_finite_amounts_and_sane_sigmas() -> None:
    head = AmountHead(4, LabelStatistics(0.1), has_parent=True)
    for raw in (-1e4, 1e4):
        set_outputs(head, raw, raw)
        outcome = head(H, outcome_of(0.5))
        assert isinstance(outcome, AmountOutcome)
        assert SIGMA_RANGE[0] <= outcome.sigma.item() <= SIGMA_RANGE[1]
        assert 0 <= outcome.expected().item() <= 0.5 * math.exp(MAX_LOG_MEAN) * 1.001


def test_heads_start_at_the_label_statistics() -> None:
    parent = outcome_of(0.4)
    h = torch.randn(2000, 4)
    many = Outcome(parent.log_p.expand(2000), parent.log_q.expand(2000))
    torch.manual_seed(0)
    binary = BinaryHead.build(4, LabelStatistics(0.23), has_parent=False)
    stage = FunnelHead.build(4, LabelStatistics(0.1, 0.4), has_parent=True)
    # weights of deviation .01 move a logit by about .02: p by at most .005
    assert binary(h, None).expected().mean().item() == pytest.approx(0.23, abs=0.01)
    assert stage(h, many).expected().mean().item() == pytest.approx(0.1, abs=0.01)
