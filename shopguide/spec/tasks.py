"""The behaviours that the model predicts."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shopguide.spec._section import Name, Rate, Section
from shopguide.spec.parts import AmountLoss

Events = tuple[str, ...]


class BinaryTask(Section):
    """Whether an event follows the impression.

    With `after`, a stage of a funnel: p(stage ∧ parent) = p(parent) · p(stage | parent), both
    supervised over all impressions (Ma et al., "Entire Space Multi-Task Model", SIGIR 2018).
    """

    kind: Literal["binary"]
    event: str = Field(description="Canonical kind of event that makes the label 1.")
    after: str | None = Field(None, description="Task that is the funnel's earlier stage.")
    title: str | None = Field(None, description="What the report calls it.")
    negative_rate: Rate = Field(
        1.0,
        description="Share of the impressions without this event that training draws; the logit "
        "is corrected by its logarithm, so that predictions are of the whole. For the first stage "
        "of the only funnel.",
    )

    @property
    def events(self) -> Events:
        """Canonical kinds of event that the label is made from."""
        return (self.event,)


class AmountTask(Section):
    """Money that follows the impression, by default zero-inflated lognormal.

    `ziln` has the expectation p · exp(μ + σ²/2) (Wang et al., "A Deep Probabilistic Model for
    Customer Lifetime Value Prediction", 2019); `tweedie` is a compound Poisson of gammas, taught by
    the mean alone; `huber_log` is robust: it predicts a typical payment, and leaves the level to
    the calibration.
    """

    kind: Literal["amount"]
    event: str = Field(description="Canonical kind of event whose `value` is summed.")
    after: str | None = Field(
        None, description="Binary task whose probability is p(amount > 0); null: one of its own."
    )
    unit: str = Field("", description="Unit of the amount, as reports show it.")
    title: str | None = Field(None, description="What the report calls it.")
    loss: AmountLoss = Field("ziln", description="How the amount is distributed, and so its loss.")

    @property
    def events(self) -> Events:
        """Canonical kinds of event that the label is made from."""
        return (self.event,)


class CategoryTask(Section):
    """Which of several things follows the impression: an intent. Softmax over the classes.

    The label is the first class, in the order given, whose event follows; `other` if none does.
    A category is predicted beside the other tasks; no goal can be made of it.
    """

    kind: Literal["category"]
    classes: dict[Name, str] = Field(
        min_length=1, max_length=126, description="Class → canonical kind of event; first one wins."
    )
    other: Name = Field("none", description="Class of an impression that no such event follows.")
    after: None = Field(None, description="A category is no stage of a funnel.")
    title: str | None = Field(None, description="What the report calls it.")

    @model_validator(mode="after")
    def _other_is_no_class(self) -> "CategoryTask":
        if self.other in self.classes:
            msg = f"other: {self.other!r} is a class already; name it differently"
            raise ValueError(msg)
        return self

    @property
    def events(self) -> Events:
        """Canonical kinds of event that the label is made from."""
        return tuple(self.classes.values())

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes in the order of their codes 0, 1, …, `other` last."""
        return (*self.classes, self.other)


Task = Annotated[BinaryTask | AmountTask | CategoryTask, Field(discriminator="kind")]
