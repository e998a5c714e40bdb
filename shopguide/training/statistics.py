"""What the training labels say before any input is read."""

from collections.abc import Mapping

import torch
from torch import Tensor

from shopguide.models.heads import LabelStatistics
from shopguide.spec.tasks import Task
from shopguide.training.samples import Samples

_LEAST_RATE = 1e-6
_LEAST_DEVIATION = 0.1


def label_statistics(train: Samples, tasks: Mapping[str, Task]) -> dict[str, LabelStatistics]:
    """Return each task's statistics over the training rows, weighted as the loss is.

    Args:
        train: training rows, labels in the order of the tasks.
        tasks: the spec's tasks.
    """
    found: dict[str, LabelStatistics] = {}
    for position, (name, task) in enumerate(tasks.items()):
        label = train.labels[:, position]
        rate = _share(label > 0, train.weight)
        parent_rate = 1.0 if task.after is None else found[task.after].rate
        log_mean, log_std = 0.0, 1.0
        if task.kind == "amount":
            log_mean, log_std = _moments(label, train.weight)
        found[name] = LabelStatistics(rate, parent_rate, log_mean, log_std)
    return found


def _share(positive: Tensor, weight: Tensor) -> float:
    share = float(weight.double() @ positive.double() / weight.double().sum())
    return min(max(share, _LEAST_RATE), 1 - _LEAST_RATE)


def _moments(label: Tensor, weight: Tensor) -> tuple[float, float]:
    positive = (label > 0) & (weight > 0)
    if not bool(positive.any()):
        return 0.0, 1.0
    w = weight[positive].double()
    log_y = label[positive].double().log()
    mean = w @ log_y / w.sum()
    deviation = torch.sqrt(w @ (log_y - mean).square() / w.sum())
    return float(mean), max(float(deviation), _LEAST_DEVIATION)
