"""How single inputs enter the network, where the rule is not good enough."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shopguide.spec._section import Name, Section
from shopguide.spec.parts import ListEncoderName

Units = Annotated[int, Field(ge=1, le=8192)]
Buckets = Annotated[int, Field(ge=2, le=100_000_000)]
Cross = Annotated[list[Name], Field(min_length=2, max_length=4)]
Transform = Literal["auto", "linear", "log", "quantile"]


class ListInput(Section):
    """A column that holds a list of values a row: tags, or what the user did before.

    A `bag` has no order. A `sequence` is ordered from old to new; its last `length` values enter.
    """

    kind: Literal["bag", "sequence"]
    length: int = Field(20, ge=1, le=1000, description="Most values of a row that enter.")
    of: Name | None = Field(
        None, description="Categorical input whose values these are; the embedding is shared."
    )
    encoder: ListEncoderName = Field("mean", description="How the values become one vector.")

    @model_validator(mode="after")
    def _encoder_has_what_it_needs(self) -> Self:
        if self.encoder == "din" and self.of is None:
            msg = "encoder: din weighs values against the impression's own; name that input in `of`"
            raise ValueError(msg)
        if self.encoder == "transformer" and self.kind == "bag":
            msg = "encoder: transformer reads an order, and a bag has none; choose mean or din"
            raise ValueError(msg)
        return self
