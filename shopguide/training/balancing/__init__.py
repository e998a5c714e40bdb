"""Balancers: with which weights the losses of the tasks are added up, anew in each step.

Example:
    >>> from shopguide.training.balancing import BALANCERS
    >>> sorted(BALANCERS)[:4]
    ['aligned_mtl', 'cagrad', 'dwa', 'famo']
"""

from shopguide.training.balancing.balancer import Balancer, WeightedSum
from shopguide.training.balancing.gradients import GradientBalancer, gramian
from shopguide.training.balancing.losses import LossBalancer
from shopguide.training.balancing.registry import BALANCERS, build_balancer, require_shared

__all__ = [
    "BALANCERS",
    "Balancer",
    "GradientBalancer",
    "LossBalancer",
    "WeightedSum",
    "build_balancer",
    "gramian",
    "require_shared",
]
