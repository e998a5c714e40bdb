"""Penalties that tie the tasks' weights together. T tasks, P weights of a task."""

import torch
from torch import Tensor

_EPSILON = 1e-8  # keeps the root differentiable where tasks agree


def deviation(weights: Tensor) -> Tensor:
    """Return Σ_t ‖W_t − W̄‖² of weights [T, …]: how far the tasks are from their mean.

    Source: Evgeniou and Pontil, "Regularized Multi-Task Learning", KDD 2004, eq. 4 and 13.
    """
    return (weights - weights.mean(dim=0)).square().sum()


def trace_norm(weights: Tensor) -> Tensor:
    """Return the sum of the singular values of weights [T, …], each task's as one row.

    Source: Yang and Hospedales, "Trace Norm Regularised Deep Multi-Task Learning", 2017. Here by
    the eigenvalues of the Gramian [T, T], which is small.
    """
    rows = weights.flatten(1)  # [T, P]
    squares: Tensor = torch.linalg.eigvalsh(rows @ rows.T)
    return squares.clamp(min=0).add(_EPSILON).sqrt().sum()


def relation(weights: Tensor) -> Tensor:
    """Return the task covariance Ω = (W·Wᵀ)^½ / tr (W·Wᵀ)^½ [T, T] of weights [T, …].

    Among the matrices that are positive semidefinite and of trace 1, it makes tr(Wᵀ·Ω⁻¹·W) least:
    the square of the trace norm.

    Source: Zhang and Yeung, "A Convex Formulation for Learning Task Relationships in Multi-Task
    Learning", UAI 2010, eq. 13.
    """
    rows = weights.flatten(1)
    values, vectors = torch.linalg.eigh(rows @ rows.T)
    root = vectors @ values.clamp(min=0).sqrt().diag() @ vectors.T
    found: Tensor = root / root.trace()
    return found
