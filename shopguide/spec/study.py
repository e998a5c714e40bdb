"""The settings among which a study searches."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from shopguide.spec._section import Fraction, Section
from shopguide.spec.inputs import Units
from shopguide.spec.parts import ArchitectureName, Balancing

Positive = Annotated[float, Field(gt=0)]
Layers = Annotated[list[Units], Field(min_length=1)]


class Study(Section):
    """What `shopguide train --study N` searches; what is null or empty stays as the spec has it."""

    learning_rate: tuple[Positive, Positive] | None = Field(
        (3e-4, 1e-2), description="Least and most, on a logarithmic scale."
    )
    weight_decay: tuple[Positive, Positive] | None = Field(
        (1e-6, 1e-3), description="Least and most, on a logarithmic scale."
    )
    dropout: tuple[Fraction, Fraction] | None = Field((0.0, 0.4), description="Least and most.")
    batch_size: list[Annotated[int, Field(ge=2)]] = Field(default=[1024, 2048, 4096])
    embedding_dim: list[Annotated[int, Field(ge=1, le=512)]] = Field(default=[8, 16, 32])
    hidden: list[Layers] = Field(default=[[64], [128, 64], [256, 128]])
    architecture: list[ArchitectureName] = Field(default=["shared_bottom", "mmoe", "ple"])
    balancer: list[Balancing] = Field(default_factory=list)
    warmup_trials: int = Field(
        5, ge=0, description="Trials, drawn at random, before any is stopped early or learnt from."
    )
    warmup_epochs: int = Field(
        1, ge=0, description="Epochs of a trial before it can be stopped early."
    )

    @model_validator(mode="after")
    def _there_is_something_to_search(self) -> Self:
        ranges = ("learning_rate", "weight_decay", "dropout")
        for name in ranges:
            ends = getattr(self, name)
            if ends is not None and not ends[0] < ends[1]:
                msg = f"{name}: the first, {ends[0]:g}, must be below the second, {ends[1]:g}"
                raise ValueError(msg)
        if self.dropout is not None and self.dropout[1] == 1:
            msg = "dropout: must stay below 1"
            raise ValueError(msg)
        lists = ("batch_size", "embedding_dim", "hidden", "architecture", "balancer")
        if not any(getattr(self, name) for name in (*ranges, *lists)):
            msg = "nothing is left to search; name a range or values"
            raise ValueError(msg)
        return self
