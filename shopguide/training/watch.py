"""What the balancing of an epoch was like: mean task weights, and how far gradients conflict."""

from itertools import combinations

import torch
from torch import Tensor

EVERY = 50
"""Steps of an epoch between two looks, where the balancer does not need them anyway."""


class Watch:
    """Means over the steps of an epoch.

    Args:
        tasks: names, T of them.
    """

    def __init__(self, tasks: list[str]) -> None:
        self.tasks = tasks
        self.start()

    def start(self) -> None:
        """Begin an epoch."""
        size = len(self.tasks)
        self.weights = torch.zeros(size, dtype=torch.float64)
        self.cosines = torch.zeros(size, size, dtype=torch.float64)
        self.steps = self.looks = 0

    def add(self, weights: Tensor, gramian: Tensor | None) -> None:
        """Note a step's weights [T], and the Gramian of the gradients [T, T] if it was computed."""
        self.weights += weights
        self.steps += 1
        if gramian is not None:
            norms = gramian.diagonal().clamp(min=torch.finfo(gramian.dtype).tiny).sqrt()
            self.cosines += gramian / torch.outer(norms, norms)
            self.looks += 1

    def task_weights(self) -> dict[str, float]:
        """Return the mean weight of each task."""
        means = self.weights / max(self.steps, 1)
        return dict(zip(self.tasks, means.tolist(), strict=True))

    def gradient_cosines(self) -> dict[str, float]:
        """Return the mean cosine of each pair of tasks' gradients, by `TASK ~ TASK`."""
        means = self.cosines / max(self.looks, 1)
        pairs = combinations(range(len(self.tasks)), 2) if self.looks else ()
        return {f"{self.tasks[s]} ~ {self.tasks[t]}": float(means[s, t]) for s, t in pairs}

    def state(self) -> dict[str, object]:
        """Return what a checkpoint needs."""
        return {
            "weights": self.weights,
            "cosines": self.cosines,
            "steps": self.steps,
            "looks": self.looks,
        }

    def load(self, state: dict[str, object]) -> None:
        """Go on from a checkpoint's state."""
        vars(self).update(state)
