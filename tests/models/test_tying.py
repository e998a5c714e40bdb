"""Penalties against closed forms, and a relation of tasks that was planted."""

import numpy as np
import pytest
import torch

from shopguide.models.layout import Layout
from shopguide.models.soft_sharing import SoftSharing
from shopguide.models.task_relation import TaskRelation
from shopguide.models.tying import deviation, relation, trace_norm
from shopguide.spec.model import Model

W = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).double()


def test_the_trace_norm_is_the_sum_of_the_singular_values() -> None:
    expected = np.linalg.svd(W.flatten(1).numpy(), compute_uv=False).sum()
    # the root is of σ² + 1e-8: off by at most 1e-4 a value where σ = 0, 5e-9 where σ is near 1
    assert trace_norm(W).item() == pytest.approx(expected, abs=1e-7)


def test_the_deviation_is_that_of_all_pairs() -> None:
    pairs = sum((W[s] - W[t]).square().sum() for s in range(3) for t in range(3))
    assert deviation(W).item() == pytest.approx(float(pairs) / (2 * 3), rel=1e-12)
    assert deviation(W[:1].expand(3, -1, -1)).item() == pytest.approx(0, abs=1e-12)


def test_the_relation_is_the_covariance_for_which_the_weights_are_cheapest() -> None:
    rows = W.flatten(1)

    def price(omega: torch.Tensor) -> float:
        return float(torch.trace(rows.T @ torch.linalg.inv(omega) @ rows))

    best = relation(W)
    assert best.trace().item() == pytest.approx(1)
    assert price(best) == pytest.approx(trace_norm(W).item() ** 2, rel=1e-6)
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        root = torch.randn(3, 3, generator=generator).double()
        nearby = best + 0.05 * root @ root.T
        assert price(nearby / nearby.trace()) >= price(best) - 1e-9


LAYOUT = Layout(6, {}, {"a": None, "like_a": None, "other": None})


def fitted(kind: type[SoftSharing] | type[TaskRelation], **options: object) -> torch.nn.Module:
    """Fit three tasks, two of which have the same labels, by their mean unit."""
    torch.manual_seed(0)
    model = Model(hidden=[16, 8], dropout=0.0, batch_norm=False).model_copy(update=options)
    architecture = kind.build(LAYOUT, model)
    readout = torch.nn.Parameter(torch.randn(8))
    x = torch.randn(512, 6)
    same, other = torch.tanh(x[:, 0] + x[:, 1]), x[:, 3] * x[:, 4]
    labels = torch.stack([same, same, other], dim=1)
    optimizer = torch.optim.Adam([*architecture.parameters(), readout], lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        loss = (architecture(x) @ readout - labels).square().mean(dim=0).sum()
        (loss + architecture.regularisation()).backward()
        optimizer.step()
    return architecture


def test_tasks_with_the_same_labels_are_found_to_be_related() -> None:
    found = fitted(TaskRelation, tie_weight=1e-3)
    assert isinstance(found, TaskRelation)
    matrix = found.relations()
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(matrix), 1)
    assert matrix[0, 1] > 0.95
    assert matrix[0, 2] < matrix[0, 1] - 0.2
    assert matrix[1, 2] < matrix[0, 1] - 0.2


def test_tasks_start_as_equals() -> None:
    matrix = TaskRelation.build(LAYOUT, Model()).relations()
    np.testing.assert_allclose(matrix, 1, atol=1e-6)


@pytest.mark.parametrize("tie", ["l2", "trace_norm"])
def test_a_dearer_tie_leaves_the_tasks_nearer_to_one_another(tie: str) -> None:
    loose, tight = (fitted(SoftSharing, tie=tie, tie_weight=w) for w in (0.0, 0.1))
    # ‖W‖_* / ‖W‖_F is 1 when all tasks have the same weights up to a factor, √3 at most
    spread = [
        float(trace_norm(weights) / weights.norm()) - 1
        for weights in (loose.bank.weights[0].detach(), tight.bank.weights[0].detach())
    ]
    assert spread[1] < 0.8 * spread[0]
