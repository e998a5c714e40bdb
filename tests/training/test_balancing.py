"""Balancers: equal to torchjd's aggregation; the weighted sum where nothing conflicts."""

import pytest
import torch
from torchjd.aggregation import UPGrad as ReferenceUPGrad

from shopguide.errors import ShopguideError
from shopguide.training.balancing import BALANCERS, UPGrad, WeightedSum, require_shared

WEIGHTS = torch.tensor([1.0, 0.5, 2.0])


def losses_of(shared: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Return losses whose gradients by the shared representation are the given rows [T, B·S]."""
    return directions @ shared.flatten()


def gradient(name: str, directions: torch.Tensor) -> torch.Tensor:
    shared = torch.randn(4, 5, requires_grad=True)
    BALANCERS[name](WEIGHTS)(losses_of(shared, directions), shared).backward()
    assert shared.grad is not None
    return shared.grad.flatten()


def test_the_weighted_sum_is_one() -> None:
    directions = torch.randn(3, 20)
    torch.testing.assert_close(gradient("weighted_sum", directions), WEIGHTS @ directions)


@pytest.mark.parametrize("seed", range(5))
def test_upgrad_gives_the_gradient_that_torchjd_aggregates(seed: int) -> None:
    torch.manual_seed(seed)
    directions = torch.randn(3, 20)
    directions[1] -= 1.5 * directions[0]  # a conflict
    expected = ReferenceUPGrad(pref_vector=WEIGHTS)(directions)
    torch.testing.assert_close(gradient("upgrad", directions), expected, rtol=1e-3, atol=1e-4)


def test_upgrad_opposes_no_task() -> None:
    torch.manual_seed(0)
    directions = torch.randn(3, 20)
    directions[1] -= 3 * directions[0]
    plain, balanced = gradient("weighted_sum", directions), gradient("upgrad", directions)
    assert (directions @ plain).min() < 0
    assert (directions @ balanced).min() > -1e-3 * directions.norm() ** 2


def test_without_conflict_upgrad_is_the_weighted_sum() -> None:
    directions = torch.eye(3, 20)
    torch.testing.assert_close(
        gradient("upgrad", directions), gradient("weighted_sum", directions), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("architecture", ["single_task", "soft_sharing", "cross_stitch", "stem"])
def test_tasks_that_share_no_representation_have_nothing_to_balance(architecture: str) -> None:
    require_shared("weighted_sum", architecture)
    require_shared("upgrad", "mmoe")
    with pytest.raises(
        ShopguideError, match=r"training\.balancer: upgrad .*has none.*mmoe"
    ) as caught:
        require_shared("upgrad", architecture)
    assert architecture in caught.value.what
    assert architecture not in caught.value.fix


def test_both_are_in_the_registry() -> None:
    assert {"weighted_sum": WeightedSum, "upgrad": UPGrad} == BALANCERS
