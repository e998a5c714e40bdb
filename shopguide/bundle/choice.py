"""How training chose a bundle, read without what training needs."""

from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from shopguide.bundle.document import Document
from shopguide.bundle.manifest import TRAINING


class Choice(Document):
    """What `training.json` says about the choice among candidates.

    Args:
        candidates: models of which this one did best on the validation period, itself included.
    """

    model_config = ConfigDict(extra="ignore")

    candidates: Annotated[int, Field(ge=1)] = 1


def read_choice(bundle: str | Path) -> Choice:
    """Return how a bundle was chosen; one whose record does not say it is one of one.

    Args:
        bundle: folder of the bundle.

    Raises:
        ShopguideError: there is no record of the training, or it counts no candidates.
    """
    return Choice.read(Path(bundle) / TRAINING)
