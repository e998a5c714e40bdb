"""`fusion.json`: λ, as a bundle carries it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from shopguide.bundle.document import Finite
from shopguide.bundle.manifest import TaskEntry
from shopguide.errors import ShopguideError
from shopguide.fusion import Fusion

Weight = Annotated[float, Field(ge=0, le=1)]
Mean = Annotated[float, Field(ge=1e-60, le=1e60)]  # a prediction divided by it stays finite

_ROUNDED = 1e-6  # what Σ λ may be off by


class FusionDocument(Finite):
    """The fields of a `Fusion`, each within its range."""

    model_config = ConfigDict(strict=True)

    form: Literal["additive", "multiplicative"]
    weights: dict[str, Weight] = Field(min_length=1)
    means: dict[str, Mean]

    @model_validator(mode="after")
    def _weights_fit(self) -> Self:
        total = sum(self.weights.values())
        if abs(total - 1) > _ROUNDED:
            msg = f"the weights sum to {total:g}, expected 1"
            raise ValueError(msg)
        without = sorted(set(self.weights) - set(self.means))
        if without:
            msg = f"means has none of {', '.join(without)}, which weights has"
            raise ValueError(msg)
        return self


def write_fusion(path: Path, fusion: Fusion) -> None:
    """Write a fusion as its JSON document."""
    FusionDocument.model_validate(asdict(fusion)).write(path)


def read_fusion(path: Path, tasks: Sequence[TaskEntry]) -> Fusion | None:
    """Read a bundle's fusion; None where there is no such file.

    Args:
        path: of the document.
        tasks: that the bundle predicts.

    Raises:
        ShopguideError: it is no fusion, or one of tasks that the bundle does not predict.
    """
    if not path.exists():
        return None
    document = FusionDocument.read(path, fix="Run `shopguide solve` on the bundle again")
    known = [task.name for task in tasks]
    for field in ("weights", "means"):
        unknown = sorted(set(getattr(document, field)) - set(known))
        if unknown:
            raise ShopguideError(
                f"{path} {field}.{unknown[0]}",
                f"there is no such task; the bundle predicts {', '.join(known)}",
                "Run `shopguide solve` on the bundle again",
            )
    return Fusion(**document.model_dump())
