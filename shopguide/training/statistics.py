"""What the training labels say before any input is read."""

from collections.abc import Mapping

import torch
from torch import Tensor

from shopguide.models.heads import LabelStatistics
from shopguide.spec.tasks import AmountTask, BinaryTask, CategoryTask, Task
from shopguide.training.samples import Samples

_LEAST_RATE = 1e-6
_LEAST_DEVIATION = 0.1


def label_statistics(train: Samples, tasks: Mapping[str, Task]) -> dict[str, LabelStatistics]:
    """Return each task's statistics over the training rows, weighted as the loss is.

    Where training draws a share of the negatives, the rates are those of the whole.

    Args:
        train: training rows, labels in the order of the tasks.
        tasks: the spec's tasks.
    """
    weight = undo_drawing(train, tasks)
    found: dict[str, LabelStatistics] = {}
    for position, (name, task) in enumerate(tasks.items()):
        label = train.labels[:, position]
        rate = _share(label > 0, weight)
        parent_rate = 1.0 if task.after is None else found[task.after].rate
        log_mean, log_std = 0.0, 1.0
        class_rates: tuple[float, ...] = ()
        if isinstance(task, AmountTask):
            log_mean, log_std = _moments(label, weight)
        if isinstance(task, CategoryTask):
            class_rates = tuple(_share(label == code, weight) for code in range(len(task.labels)))
        found[name] = LabelStatistics(rate, parent_rate, log_mean, log_std, class_rates)
    return found


def undo_drawing(train: Samples, tasks: Mapping[str, Task]) -> Tensor:
    """Return weights [N] in which a negative counts for all those of which it was drawn."""
    weight = train.weight.double()
    for position, task in enumerate(tasks.values()):
        if isinstance(task, BinaryTask) and task.negative_rate < 1:
            negative = train.labels[:, position] == 0
            weight = torch.where(negative, weight / task.negative_rate, weight)
    return weight


def _share(positive: Tensor, weight: Tensor) -> float:
    share = float(weight @ positive.double() / weight.sum())
    return min(max(share, _LEAST_RATE), 1 - _LEAST_RATE)


def _moments(label: Tensor, weight: Tensor) -> tuple[float, float]:
    positive = (label > 0) & (weight > 0)
    if not bool(positive.any()):
        return 0.0, 1.0
    w = weight[positive]
    log_y = label[positive].double().log()
    mean = w @ log_y / w.sum()
    deviation = torch.sqrt(w @ (log_y - mean).square() / w.sum())
    return float(mean), max(float(deviation), _LEAST_DEVIATION)
