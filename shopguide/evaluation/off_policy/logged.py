"""Logged decisions: what was shown with which probability, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError
from shopguide.objective.reading import MOST

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LEAST_PROPENSITY = 1e-9
"""Below it a single row would outweigh every log there is."""


@dataclass(frozen=True, slots=True)
class Logged:
    """Decisions of a logging policy π₀, and what a target policy π would have done. N rows.

    Args:
        reward: outcome of the logged action [N], finite.
        propensity: π₀(a_i | x_i) of the logged action [N], in [1e-9, 1].
        target: π(a_i | x_i) of the same action [N], in [0, 1].
        unit: index of what is independent, such as the user, 0 … U − 1 [N].
        weight: how many decisions a row stands for [N], ≥ 0.
    """

    reward: Floats
    propensity: Floats
    target: Floats
    unit: Indices
    weight: Floats

    @classmethod
    def of(
        cls,
        *,
        reward: Floats,
        propensity: Floats,
        target: Floats,
        unit: Indices | None = None,
        weight: Floats | None = None,
        where: str = "log",
    ) -> Self:
        """Check decisions and return them.

        Args:
            reward: [N].
            propensity: [N].
            target: [N].
            unit: any integers [N]; None: each row is independent.
            weight: [N]; None: 1 each.
            where: what messages call the log.

        Raises:
            InvalidDataError: there is no row, or a value is not as the class says; all columns.
        """
        rows = len(reward)
        if not rows:
            raise InvalidDataError(where, "holds no decision", "Check the split's period")
        weights = np.ones(rows) if weight is None else np.asarray(weight, np.float64)
        columns = {
            "reward": np.asarray(reward, np.float64),
            "propensity": np.asarray(propensity, np.float64),
            "target": np.asarray(target, np.float64),
            "sample_weight": weights,
        }
        _refuse_bad(columns, where)
        if not weights.sum() > 0:
            raise InvalidDataError(
                f"{where}, column sample_weight", "all weights are 0", "Weigh at least one row"
            )
        units = np.arange(rows) if unit is None else np.unique(unit, return_inverse=True)[1]
        return cls(
            columns["reward"], columns["propensity"], columns["target"], units.astype(np.int64),
            weights,
        )  # fmt: skip

    @property
    def ratio(self) -> Floats:
        """Importance weight w_i = π(a_i | x_i) / π₀(a_i | x_i) [N]."""
        return self.target / self.propensity

    @property
    def units(self) -> int:
        """Number of independent units U."""
        return int(self.unit.max()) + 1


_Holds = Callable[[Floats], NDArray[np.bool_]]


def _refuse_bad(columns: dict[str, Floats], where: str) -> None:
    rules: dict[str, tuple[_Holds, str, str]] = {
        "reward": (np.isfinite, "a finite number", "Mend the outcome"),
        "propensity": (
            lambda p: (p >= LEAST_PROPENSITY) & (p <= 1),
            f"a probability above 0 and at most 1, and no smaller than {LEAST_PROPENSITY:g}",
            "Log the probability with which the shop chose what it showed",
        ),
        "target": (lambda p: (p >= 0) & (p <= 1), "a probability", "Mend the target policy"),
        "sample_weight": (
            lambda w: (w >= 0) & (w <= MOST),
            f"finite, not negative and at most {MOST:g}",
            "Mend the weight",
        ),
    }
    problems = []
    for name, (holds, wanted, fix) in rules.items():
        assert len(columns[name]) == len(columns["reward"]), f"{name} has other rows"
        bad = ~holds(columns[name])
        if bad.any():
            row = int(np.argmax(bad))
            what = f"is {columns[name][row]:g}, must be {wanted} ({int(bad.sum()):,} rows in all)"
            problems.append(InvalidDataError(f"{where}, column {name}, row {row + 1}", what, fix))
    if problems:
        raise InvalidDataError.combined(problems)
