"""Calibration: from what the graph predicts to what is observed, monotone in the prediction."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from shopguide.bundle.document import Document, Finite
from shopguide.bundle.manifest import TaskEntry
from shopguide.errors import ShopguideError

Floats = NDArray[np.float64]

_EDGE = 1e-7  # keeps a logit finite
_FARTHEST = 500.0  # a logit whose exponential is still a number

Positive = Annotated[float, Field(gt=0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
Shift = Annotated[float, Field(ge=-1e6, le=1e6)]
Share = Annotated[float, Field(ge=0, le=1)]


class Isotonic(Finite):
    """Piecewise linear through the points (x_i, y_i), increasing, level before and after them.

    Source: Zadrozny and Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates", KDD 2002; lines instead of steps, so that the order inside a step is kept.
    """

    kind: Literal["isotonic"] = "isotonic"
    x: list[Share] = Field(min_length=2)
    y: list[Share] = Field(min_length=2)

    @model_validator(mode="after")
    def _points_increase(self) -> Self:
        if len(self.x) != len(self.y):
            msg = f"x has {len(self.x)} points and y {len(self.y)}"
            raise ValueError(msg)
        if not (np.diff(self.x) > 0).all():
            msg = "x does not increase from point to point"
            raise ValueError(msg)
        if not (np.diff(self.y) >= 0).all():
            msg = "y falls: it would turn the order round"
            raise ValueError(msg)
        return self

    def apply(self, p: Floats) -> Floats:
        """Map probabilities [N] to calibrated ones [N]."""
        return np.interp(p, self.x, self.y)


class Platt(Finite):
    """σ(slope · logit(p) + intercept), slope > 0.

    Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999; here on the logit.
    """

    kind: Literal["platt"] = "platt"
    slope: Positive
    intercept: Shift

    def apply(self, p: Floats) -> Floats:
        """Map probabilities [N] to calibrated ones [N]."""
        log_p, log_q = log_odds(p)
        return _sigmoid(self.slope * (log_p - log_q) + self.intercept)


class Beta(Finite):
    """σ(a · log p − b · log(1 − p) + c), a, b ≥ 0 and not both 0; a = b = 1, c = 0 is no change.

    Unlike Platt's it can bend the two ends differently.

    Source: Kull, Silva Filho, Flach, "Beta Calibration: A Well-Founded and Easily Implemented
    Improvement on Logistic Calibration for Binary Classifiers", AISTATS 2017, §4.
    """

    kind: Literal["beta"] = "beta"
    a: NotNegative
    b: NotNegative
    c: Shift

    @model_validator(mode="after")
    def _depends_on_p(self) -> Self:
        if self.a == 0 and self.b == 0:
            msg = "a and b are both 0: every prediction would be the same"
            raise ValueError(msg)
        return self

    def apply(self, p: Floats) -> Floats:
        """Map probabilities [N] to calibrated ones [N]."""
        log_p, log_q = log_odds(p)
        return _sigmoid(self.a * log_p - self.b * log_q + self.c)


class Temperature(Finite):
    """σ(logit(p) / temperature), temperature > 0: below 1 sharper, above 1 flatter.

    Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
    §4.2; here for one probability.
    """

    kind: Literal["temperature"] = "temperature"
    temperature: Annotated[float, Field(ge=1e-6, le=1e6)]

    def apply(self, p: Floats) -> Floats:
        """Map probabilities [N] to calibrated ones [N]."""
        log_p, log_q = log_odds(p)
        return _sigmoid((log_p - log_q) / self.temperature)


class Scale(Finite):
    """factor · x, for amounts."""

    kind: Literal["scale"] = "scale"
    factor: Annotated[float, Field(gt=0, le=1e12)]

    def apply(self, p: Floats) -> Floats:
        """Map expected amounts [N] to calibrated ones [N]."""
        return self.factor * p


Probability = Isotonic | Platt | Beta | Temperature
"""Calibrators of a binary task."""

Calibrator = Annotated[Isotonic | Platt | Beta | Temperature | Scale, Field(discriminator="kind")]


class Calibrators(Document):
    """The calibrators that were kept, by task; a task without one is left as it is."""

    tasks: dict[str, Calibrator] = Field(default_factory=dict)

    def check(self, tasks: Sequence[TaskEntry], where: str) -> None:
        """Refuse calibrators that do not fit the bundle's tasks.

        Raises:
            ShopguideError: one is of a task that there is not, or of another kind of task.
        """
        kinds = {task.name: task.kind for task in tasks}
        for name, calibrator in self.tasks.items():
            wanted = "amount" if isinstance(calibrator, Scale) else "binary"
            found = kinds.get(name)
            if found != wanted:
                what = "there is no such task" if found is None else f"the task's kind is {found}"
                raise ShopguideError(
                    f"{where} tasks.{name}",
                    f"{what}, and {calibrator.kind} calibrates a task of kind {wanted}",
                    "Train the bundle again with this version of shopguide",
                )

    def apply(
        self, predictions: Mapping[str, Floats], tasks: Sequence[TaskEntry]
    ) -> dict[str, Floats]:
        """Calibrate predictions; a stage of a funnel never exceeds the stage before it.

        Tasks are calibrated one by one, which could break p(stage ∧ parent) ≤ p(parent); where it
        would, the stage is clipped to its parent.

        Args:
            predictions: expected outcome by task [N].
            tasks: the bundle's tasks, a parent before its stage.
        """
        calibrated: dict[str, Floats] = {}
        for task in tasks:
            p = predictions[task.name]
            if task.name in self.tasks:
                p = self.tasks[task.name].apply(p)
            if task.kind == "binary" and task.after is not None:
                p = np.minimum(p, calibrated[task.after])
            calibrated[task.name] = p
        return calibrated


def log_odds(p: Floats) -> tuple[Floats, Floats]:
    """Return log p and log(1 − p) [N], p kept within [1e-7, 1 − 1e-7]."""
    inside = np.clip(p, _EDGE, 1 - _EDGE)
    return np.log(inside), np.log1p(-inside)


def _sigmoid(z: Floats) -> Floats:
    calibrated: Floats = 1 / (1 + np.exp(-np.clip(z, -_FARTHEST, _FARTHEST)))
    return calibrated
