"""Calibration: from what the graph predicts to what is observed, monotone in the prediction."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from shopguide.bundle.document import Document
from shopguide.bundle.manifest import TaskEntry

_EDGE = 1e-7  # keeps a logit finite


class Isotonic(Document):
    """Piecewise linear through the points (x_i, y_i), both increasing, from (0, 0) to (1, 1)."""

    kind: Literal["isotonic"] = "isotonic"
    x: list[float]
    y: list[float]

    def apply(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map probabilities [N] to calibrated ones [N]."""
        return np.interp(p, self.x, self.y)


class Platt(Document):
    """σ(slope · logit(p) + intercept), slope > 0.

    Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999; here on the logit.
    """

    kind: Literal["platt"] = "platt"
    slope: Annotated[float, Field(gt=0)]
    intercept: float

    def apply(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map probabilities [N] to calibrated ones [N]."""
        inside = np.clip(p, _EDGE, 1 - _EDGE)
        logit = np.log(inside) - np.log1p(-inside)
        calibrated: NDArray[np.float64] = 1 / (1 + np.exp(-self.slope * logit - self.intercept))
        return calibrated


class Scale(Document):
    """factor · x, for amounts."""

    kind: Literal["scale"] = "scale"
    factor: Annotated[float, Field(gt=0)]

    def apply(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map expected amounts [N] to calibrated ones [N]."""
        return self.factor * p


Calibrator = Annotated[Isotonic | Platt | Scale, Field(discriminator="kind")]


class Calibrators(Document):
    """The calibrators that were kept, by task; a task without one is left as it is."""

    tasks: dict[str, Calibrator] = Field(default_factory=dict)

    def apply(
        self, predictions: Mapping[str, NDArray[np.float64]], tasks: Sequence[TaskEntry]
    ) -> dict[str, NDArray[np.float64]]:
        """Calibrate predictions; a stage of a funnel never exceeds the stage before it.

        Tasks are calibrated one by one, which could break p(stage ∧ parent) ≤ p(parent); where it
        would, the stage is clipped to its parent.

        Args:
            predictions: expected outcome by task [N].
            tasks: the bundle's tasks, a parent before its stage.
        """
        calibrated: dict[str, NDArray[np.float64]] = {}
        for task in tasks:
            p = predictions[task.name]
            if task.name in self.tasks:
                p = self.tasks[task.name].apply(p)
            if task.kind == "binary" and task.after is not None:
                p = np.minimum(p, calibrated[task.after])
            calibrated[task.name] = p
        return calibrated
