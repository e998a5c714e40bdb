"""What the shop wants: goals, their weights, and how the trade-off between them is solved."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from shopguide.spec._section import Fraction, Name, Section

IMPRESSIONS = "impressions"
"""Outcome that is 1 for every impression: the denominator of a rate per impression."""


class Goal(Section):
    """A goal's value is the discounted sum of an outcome over a request's ranked list.

        F = mean over requests of Σ_i δ(rank_i) · outcome_i · q_i

    With `per`, the ratio of two such means: CVR is purchase per click, AOV order value per
    purchase, CTR click per `impressions`. With logged propensities, a goal per `impressions` is
    self-normalised (SNIPS).
    """

    task: str = Field(description="Task, or column of objective.outcomes, that is summed.")
    per: str | None = Field(
        None, description="Denominator, for a ratio: a task, an outcome, or `impressions`."
    )
    weight: Fraction = Field(description="ω: the goal's share of the objective.")
    title: str | None = None


class Discount(Section):
    """δ: what a rank is worth. dcg: 1/log2(1 + rank); top_k: 1. Zero beyond rank k."""

    kind: Literal["dcg", "top_k"] = "dcg"
    k: int = Field(5, ge=1)


class Importance(Section):
    """q: what a row counts: its sample_weight, and 1/propensity where propensities are used."""

    propensity: Literal["ignore", "inverse"] = Field(
        "ignore", description="inverse: q = sample_weight · min(1/propensity, clip)."
    )
    clip: float | None = Field(
        None, gt=0, description="Most that 1/propensity may be; null: it is not clipped."
    )

    @model_validator(mode="after")
    def _clips_what_is_used(self) -> Self:
        if self.clip is not None and self.propensity == "ignore":
            msg = "clip is set, but propensity is ignored; set propensity: inverse, or drop clip"
            raise ValueError(msg)
        return self


Solver = Literal[
    "weighted_sum", "chebyshev", "epsilon", "pareto", "nash", "kalai_smorodinsky", "egalitarian"
]


class Objective(Section):
    """J = Σ_k ω_k · F_k / F_k(champion); the champion scores 1."""

    goals: dict[Name, Goal] = Field(min_length=1)
    outcomes: list[str] = Field(
        default_factory=list,
        description="Numeric columns of the training set, ≥ 0, that goals name beside tasks.",
    )
    discount: Discount = Discount()
    importance: Importance = Importance()
    fusion: Literal["additive", "multiplicative"] = "additive"
    rank_by: list[str] | None = Field(
        None,
        min_length=1,
        description="Tasks that λ weighs; null: those of the goals, or all if no goal has one.",
    )
    solver: Solver = "weighted_sum"
    loss_penalty: float = Field(
        10.0,
        ge=0,
        description="weighted_sum: what losing 1 % of a goal to the champion costs, in % of J.",
    )
    maximise: str | None = Field(
        None,
        description=(
            "epsilon: the goal to maximise; null: the one with the largest weight, and then "
            "floors must be named."
        ),
    )
    floors: dict[str, float] = Field(
        default_factory=dict,
        description="epsilon: goal → least F/F(champion); 1 for a goal that is not named.",
    )

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> Self:
        total = sum(goal.weight for goal in self.goals.values())
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            msg = f"the goals' weights sum to {total:.6g}, must be 1"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _says_what_epsilon_is_to_do(self) -> Self:
        silent = self.maximise is None and not self.floors and len(self.goals) > 1
        if self.solver == "epsilon" and silent:
            msg = (
                "solver: epsilon maximises one goal under floors for the others, and neither "
                "objective.maximise nor objective.floors says which; set one of them"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _names_its_goals(self) -> Self:
        known = ", ".join(self.goals)
        if self.maximise is not None and self.maximise not in self.goals:
            msg = f"maximise: no goal {self.maximise!r}; goals are {known}"
            raise ValueError(msg)
        for name, floor in self.floors.items():
            if name not in self.goals:
                msg = f"floors.{name}: no such goal; goals are {known}"
                raise ValueError(msg)
            if not floor > 0:
                msg = f"floors.{name}: {floor:g}, must be above 0 (1: what the champion reaches)"
                raise ValueError(msg)
        return self
