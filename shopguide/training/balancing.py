"""Balancers: how the losses of the tasks become the one that is minimised."""

from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torchjd.aggregation import UPGradWeighting

from shopguide.errors import ShopguideError
from shopguide.models import ARCHITECTURES


class Balancer(Protocol):
    """Turn the tasks' losses [T] into a scalar to differentiate."""

    def __call__(self, losses: Tensor, shared: Tensor) -> Tensor:
        """Return the scalar; `shared` is the representation [B, …] that the losses came from."""


class WeightedSum:
    """Σ_t c_t · L_t.

    Args:
        weights: c [T], ≥ 0.
    """

    reads_shared: ClassVar[bool] = False

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights

    def __call__(self, losses: Tensor, shared: Tensor) -> Tensor:
        """Return the weighted sum."""
        del shared
        return losses @ self.weights


class UPGrad:
    """Σ_t w_t · L_t, with w such that no task's gradient is opposed.

    The gradients g_t of the losses by the shared representation [B·S] have the Gramian
    G_st = g_s · g_t [T, T]; torchjd projects each c_t · g_t onto the dual cone of all of them and
    returns the weights w(G) of the sum. One backward pass of the weighted loss follows. Without
    conflict w = c: the weighted sum.

    Args:
        weights: c [T], ≥ 0: the preference vector.

    Source: Quinton and Rey, "Jacobian Descent for Multi-Objective Optimization", 2024. Here the
    Jacobian is that of the shared representation instead of the shared parameters, which costs
    T small backward passes through the towers instead of T whole ones; the weights act on the
    towers too, where Adam undoes most of their scale.
    """

    reads_shared: ClassVar[bool] = True

    def __init__(self, weights: Tensor) -> None:
        self.weighting = UPGradWeighting(pref_vector=weights)

    def __call__(self, losses: Tensor, shared: Tensor) -> Tensor:
        """Return the loss weighted by the weights of the Gramian."""
        gradients = torch.stack(
            [torch.autograd.grad(loss, shared, retain_graph=True)[0].flatten() for loss in losses]
        )  # [T, B·S]
        weights: Tensor = self.weighting(gradients @ gradients.T)
        return losses @ weights.detach()


BALANCERS: dict[str, type[WeightedSum] | type[UPGrad]] = {
    "weighted_sum": WeightedSum,
    "upgrad": UPGrad,
}


def require_shared(balancer: str, architecture: str) -> None:
    """Refuse a balancer of gradients for an architecture whose tasks share no representation.

    Args:
        balancer: name in the spec.
        architecture: name in the spec.

    Raises:
        ShopguideError: there is nothing to balance.
    """
    if not BALANCERS[balancer].reads_shared or ARCHITECTURES[architecture].shares_representation:
        return
    able = (name for name, found in ARCHITECTURES.items() if found.shares_representation)
    raise ShopguideError(
        "training.balancer",
        f"{balancer} balances the tasks' gradients of a shared representation, and "
        f"{architecture} has none",
        f"Choose weighted_sum, or one of the architectures {', '.join(able)}",
    )
