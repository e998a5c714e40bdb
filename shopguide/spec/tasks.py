"""The behaviours that the model predicts."""

from typing import Annotated, Literal

from pydantic import Field

from shopguide.spec._section import Section


class BinaryTask(Section):
    """Whether an event follows the impression.

    With `after`, a stage of a funnel: p(stage ∧ parent) = p(parent) · p(stage | parent), both
    supervised over all impressions (Ma et al., "Entire Space Multi-Task Model", SIGIR 2018).
    """

    kind: Literal["binary"]
    event: str = Field(description="Canonical kind of event that makes the label 1.")
    after: str | None = Field(None, description="Task that is the funnel's earlier stage.")
    title: str | None = Field(None, description="What the report calls it.")


class AmountTask(Section):
    """Money that follows the impression: zero-inflated lognormal, expectation p · exp(μ + σ²/2).

    Source: Wang et al., "A Deep Probabilistic Model for Customer Lifetime Value Prediction", 2019.
    """

    kind: Literal["amount"]
    event: str = Field(description="Canonical kind of event whose `value` is summed.")
    after: str | None = Field(
        None, description="Binary task whose probability is p(amount > 0); null: one of its own."
    )
    unit: str = Field("", description="Unit of the amount, as reports show it.")
    title: str | None = Field(None, description="What the report calls it.")


Task = Annotated[BinaryTask | AmountTask, Field(discriminator="kind")]
