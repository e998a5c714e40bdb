"""Balancers: each as its paper and torchjd have it, on the Gramian of the shared representation."""

from typing import get_args

import pytest
import torch
from torch import Tensor
from torchjd import aggregation as jd

from shopguide.errors import ShopguideError
from shopguide.spec.model import Balancing
from shopguide.training.balancing import (
    BALANCERS,
    Balancer,
    build_balancer,
    gramian,
    require_shared,
)
from shopguide.training.balancing.losses import Reference

WEIGHTS = torch.tensor([1.0, 0.5, 2.0])
LOSSES = torch.tensor([0.6, 0.2, -1.5])
REFERENCE = Reference(torch.tensor([0.7, 0.25, -1.0]), torch.tensor([False, False, True]))
NAMES = get_args(Balancing)
REFERENCES = {
    "upgrad": jd.UPGrad(pref_vector=WEIGHTS),
    "mgda": jd.MGDA(),
    "aligned_mtl": jd.AlignedMTL(pref_vector=WEIGHTS),
    "imtl_g": jd.IMTLG(),
}
TAKES_PREFERENCE = {"upgrad", "aligned_mtl"}


def build(name: str) -> Balancer:
    return build_balancer(name, WEIGHTS, REFERENCE)  # type: ignore[arg-type]


def conflicting(seed: int) -> Tensor:
    """Return the gradients of three tasks [T, B·S], two of which oppose each other."""
    torch.manual_seed(seed)
    gradients = torch.randn(3, 20)
    gradients[1] -= 1.5 * gradients[0]
    return gradients


def weights(name: str, gradients: Tensor) -> Tensor:
    return build(name).weights(LOSSES, gradients @ gradients.T)


def test_every_name_of_the_spec_has_a_balancer() -> None:
    assert set(BALANCERS) == set(get_args(Balancing))


@pytest.mark.parametrize("name", NAMES)
def test_every_balancer_gives_finite_weights_that_help_some_task(name: str) -> None:
    for seed in range(5):
        gradients = conflicting(seed)
        found = weights(name, gradients)
        assert found.shape == WEIGHTS.shape
        assert found.isfinite().all()
        assert not found.requires_grad
        assert (gradients @ (found @ gradients)).max() > 0  # a step along it lowers some loss


@pytest.mark.parametrize("name", NAMES)
def test_a_task_of_weight_zero_gets_none(name: str) -> None:
    preference = torch.tensor([1.0, 0.0, 2.0])
    gradients = conflicting(0)
    balancer = build_balancer(name, preference, REFERENCE)  # type: ignore[arg-type]
    assert balancer.weights(LOSSES, gradients @ gradients.T)[1] == 0


@pytest.mark.parametrize("name", NAMES)
def test_its_state_is_all_that_its_next_weights_depend_on(name: str) -> None:
    first, second = build(name), build(name)
    for seed in range(6):
        gradients = conflicting(seed)
        first.weights(LOSSES - 0.02 * seed, gradients @ gradients.T)
        if first.uses_outcome:
            first.observe(LOSSES - 0.02 * seed - 0.01 * torch.arange(3))
        if seed % 2:
            first.end_epoch()
    second.load(first.state())
    gramian_ = conflicting(9) @ conflicting(9).T
    results = []
    for balancer in (first, second):
        torch.manual_seed(1)  # PCGrad takes the tasks in a random order
        results.append(balancer.weights(LOSSES, gramian_))
    if name != "nash_mtl":
        assert torch.equal(*results)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_the_weighted_gradient_is_the_one_that_torchjd_aggregates(name: str, seed: int) -> None:
    gradients = conflicting(seed)
    scaled = gradients if name in TAKES_PREFERENCE else gradients * WEIGHTS.unsqueeze(1)
    expected = REFERENCES[name](scaled)
    found = weights(name, gradients) @ gradients
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_upgrad_opposes_no_task_where_the_weighted_sum_does() -> None:
    gradients = conflicting(0)
    gradients[1] -= 2 * gradients[0]
    assert (gradients @ (WEIGHTS @ gradients)).min() < 0
    balanced = weights("upgrad", gradients) @ gradients
    assert (gradients @ balanced).min() > -1e-3 * gradients.norm() ** 2


@pytest.mark.parametrize("name", ["upgrad", "pcgrad"])
def test_without_conflict_it_is_the_weighted_sum_as_torchjd_finds_it(name: str) -> None:
    for seed in range(20):
        gradients = torch.rand(3, 20, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(weights(name, gradients), WEIGHTS)
        scaled = gradients if name in TAKES_PREFERENCE else gradients * WEIGHTS.unsqueeze(1)
        expected = (REFERENCES | {"pcgrad": jd.PCGrad()})[name](scaled)
        torch.testing.assert_close(WEIGHTS @ gradients, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["upgrad", "pcgrad"])
def test_one_conflict_is_solved(name: str) -> None:
    gradients = torch.eye(3, 20)
    gradients[2, 0] = -0.5
    assert not torch.allclose(weights(name, gradients), WEIGHTS, rtol=0.05)


def test_the_gramian_is_that_of_the_gradients_by_the_shared_representation() -> None:
    gradients, shared = conflicting(0), torch.randn(4, 5, requires_grad=True)
    found = gramian(gradients @ shared.flatten(), shared)
    torch.testing.assert_close(found, gradients @ gradients.T)


def test_the_geometric_mean_lowers_every_loss_by_the_same_share() -> None:
    # ∂/∂L_t of Π v_t^(1/3) is v̄ / (3 v_t) · ∂v_t/∂L_t, so w_t · v_t / (∂v_t/∂L_t) = c_t · v̄ / 3
    v = torch.tensor([0.6 / 0.7, 0.2 / 0.25, (-1.5 + 1.0)]).clone()
    v[2] = v[2].exp()  # a density's loss counts by its likelihood ratio
    slope = torch.tensor([1 / 0.7, 1 / 0.25, float(v[2])])
    mean = v.log().mean().exp()
    torch.testing.assert_close(
        weights("geometric_mean", torch.eye(3)), WEIGHTS * mean / 3 / v * slope
    )


def test_dwa_weighs_the_task_that_learns_slowly() -> None:
    balancer = build("dwa")
    for losses in (torch.tensor([0.7, 0.25, -1.0]), torch.tensor([0.35, 0.25, -1.0])):
        balancer.weights(losses, None)
        balancer.end_epoch()
    # relative losses fell to 1/2, 1, 1 of the last epoch's: λ ∝ exp(rate / 2), times 3
    share = torch.tensor([0.5, 1.0, 1.0]).div(2).softmax(0) * 3
    found = balancer.weights(torch.tensor([0.35, 0.25, -1.0]), None)
    torch.testing.assert_close(found, WEIGHTS * share * torch.tensor([1 / 0.7, 4.0, 1.0]))


def test_famo_turns_to_the_task_that_falls_behind() -> None:
    balancer = build("famo")
    before, after = torch.tensor([0.7, 0.25, -1.0]), torch.tensor([0.5, 0.25, -1.0])
    first = balancer.weights(before, None)
    for _ in range(50):
        balancer.weights(before, None)
        balancer.observe(after)  # the first task alone gets better
    assert (balancer.weights(before, None) / first)[0] < 1


def test_uncertainty_is_learnt_with_the_model() -> None:
    balancer = build("uncertainty")
    (parameter,) = balancer.parameters()
    balancer.weights(LOSSES, None)
    # ∂/∂s of ½·exp(−s)·v + ½·s at s = 0
    torch.testing.assert_close(parameter.grad, 0.5 - REFERENCE.relative(LOSSES) / 2)


@pytest.mark.parametrize("name", ["cagrad", "nash_mtl"])
def test_a_missing_solver_is_named_with_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchjd._mixins.find_spec", lambda _: None)  # as where it is not installed
    with pytest.raises(ShopguideError, match=rf"training\.balancer: {name} needs cvxpy.*balancers"):
        build(name)


@pytest.mark.parametrize("architecture", ["single_task", "soft_sharing", "cross_stitch", "stem"])
def test_tasks_that_share_no_representation_have_nothing_to_balance(architecture: str) -> None:
    require_shared("dwa", architecture)
    require_shared("upgrad", "mmoe")
    with pytest.raises(
        ShopguideError, match=r"training\.balancer: upgrad .*has none.*mmoe"
    ) as caught:
        require_shared("upgrad", architecture)
    assert architecture in caught.value.what
    assert architecture not in caught.value.fix
