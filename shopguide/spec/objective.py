"""What the shop wants: goals over tasks, and their weights."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from shopguide.spec._section import Fraction, Name, Section


class Goal(Section):
    """A goal's value is the discounted sum of a task's outcome over a request's ranked list.

        F = mean over requests of Σ_i δ(rank_i) · outcome_i · weight_i

    With `per`, the ratio of two such means (AOV: order value per purchase).
    """

    task: str
    per: str | None = Field(None, description="Task of the denominator, for a ratio.")
    weight: Fraction = Field(description="ω: the goal's share of the objective.")
    title: str | None = None


class Discount(Section):
    """δ: what a rank is worth. dcg: 1/log2(1 + rank); top_k: 1. Zero beyond rank k."""

    kind: Literal["dcg", "top_k"] = "dcg"
    k: int = Field(5, ge=1)


class Objective(Section):
    """J = Σ_k ω_k · F_k / F_k(champion); the champion scores 1."""

    goals: dict[Name, Goal] = Field(min_length=1)
    discount: Discount = Discount()
    fusion: Literal["additive", "multiplicative"] = "additive"
    solver: Literal["weighted_sum"] = "weighted_sum"

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> Self:
        total = sum(goal.weight for goal in self.goals.values())
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            msg = f"the goals' weights sum to {total:.6g}, must be 1"
            raise ValueError(msg)
        return self
