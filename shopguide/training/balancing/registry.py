"""The balancers by name: all of torchjd's; a new one is a line here."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torchjd import aggregation as jd
from torchjd import scalarization as sc

from shopguide.errors import ShopguideError
from shopguide.models import ARCHITECTURES
from shopguide.spec.parts import Balancing
from shopguide.training.balancing.balancer import Balancer, WeightedSum
from shopguide.training.balancing.gradients import GradientBalancer
from shopguide.training.balancing.losses import LossBalancer, Reference

_CAGRAD_RADIUS = 0.4
"""c of the paper's experiments: how far from the mean gradient CAGrad may go."""

Build = Callable[[Tensor, Reference], Balancer]

_OF_LOSSES: dict[Balancing, Build] = {
    # the spec's weights
    "weighted_sum": lambda c, _: WeightedSum(c),
    # Kendall, Gal and Cipolla, CVPR 2018
    "uncertainty": lambda c, r: LossBalancer(c, sc.UW(len(c)), r),
    # GLS: Chennupati et al., CVPR workshops 2019
    "geometric_mean": lambda c, r: LossBalancer(c, sc.GeometricMean(), r),
    # Liu, Johns and Davison, CVPR 2019
    "dwa": lambda c, r: LossBalancer(c, sc.DWA(), r),
    # Liu, Feng, Stone and Liu, NeurIPS 2023
    "famo": lambda c, r: LossBalancer(c, sc.FAMO(len(c)), r),
}

_OF_GRADIENTS: dict[Balancing, Build] = {
    # Quinton and Rey, "Jacobian Descent for Multi-Objective Optimization", 2024
    "upgrad": lambda c, _: GradientBalancer(
        c,
        lambda p: jd.UPGradWeighting(pref_vector=p),
        takes_preference=True,
        acts_on_conflict=True,  # w = u solves min wᵀGw over w ≥ u where G ≥ 0: its gradient is ≥ 0
    ),
    # Désidéri, Comptes Rendus Mathématique 350, 2012
    "mgda": lambda c, _: GradientBalancer(c, lambda _p: jd.MGDAWeighting()),
    # Yu et al., NeurIPS 2020
    "pcgrad": lambda c, _: GradientBalancer(
        c, lambda _p: jd.PCGradWeighting(), acts_on_conflict=True
    ),
    # Liu et al., NeurIPS 2021
    "cagrad": lambda c, _: GradientBalancer(c, lambda _p: jd.CAGradWeighting(c=_CAGRAD_RADIUS)),
    # Senushkin et al., CVPR 2023
    "aligned_mtl": lambda c, _: GradientBalancer(
        c, lambda p: jd.AlignedMTLWeighting(pref_vector=p), takes_preference=True
    ),
    # Liu et al., ICLR 2021
    "imtl_g": lambda c, _: GradientBalancer(c, lambda _p: jd.IMTLGWeighting()),
    # Navon et al., ICML 2022; a resumed run starts its history anew
    "nash_mtl": lambda c, _: GradientBalancer(c, _nash),
}


BALANCERS = _OF_LOSSES | _OF_GRADIENTS


def build_balancer(name: Balancing, preference: Tensor, reference: Reference) -> Balancer:
    """Return a balancer.

    Args:
        name: `training.balancer`.
        preference: weights of the tasks [T], ≥ 0.
        reference: losses at the start, of the methods that compare losses.

    Raises:
        ShopguideError: it solves its problem with a package that is not installed.
    """
    try:
        return BALANCERS[name](preference, reference)
    except ImportError:
        raise ShopguideError(
            "training.balancer",
            f"{name} needs cvxpy and ecos, which are not installed",
            "Install the extra: pip install 'shopguide[balancers]'",
        ) from None


def require_shared(balancer: Balancing, architecture: str) -> None:
    """Refuse a balancer of gradients for an architecture whose tasks share no representation.

    Args:
        balancer: name in the spec.
        architecture: name in the spec.

    Raises:
        ShopguideError: there is nothing to balance.
    """
    if balancer in _OF_LOSSES or ARCHITECTURES[architecture].shares_representation:
        return
    able = (name for name, found in ARCHITECTURES.items() if found.shares_representation)
    raise ShopguideError(
        "training.balancer",
        f"{balancer} balances the tasks' gradients of a shared representation, and "
        f"{architecture} has none",
        f"Choose {', '.join(_OF_LOSSES)}, or one of the architectures {', '.join(able)}",
    )


def _nash(preference: Tensor) -> Callable[[Tensor], Tensor]:
    """Return Nash-MTL's weighting, which wants a Jacobian: any with this Gramian will do."""
    weighting = jd.NashMTL(n_tasks=len(preference)).weighting

    def weights(gramian: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(gramian)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "You are solving a parameterized problem")  # cvxpy's
            found: Tensor = weighting(vectors * values.clamp(min=0.0).sqrt())
        return found

    return weights
