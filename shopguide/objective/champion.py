"""The bundle in production, scored again on the same period as its challenger."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.bundle import Bundle, load_bundle
from shopguide.bundle.manifest import MANIFEST
from shopguide.errors import ShopguideError

Floats = NDArray[np.float64]

_PREDICTS = ("model.onnx", "preprocessing.json", "calibrators.json")

_log = logging.getLogger(__name__)


def open_champion(path: str | Path | None, challenger: Bundle) -> Bundle | None:
    """Load the bundle in production; None where there is none yet.

    Args:
        path: None or an empty directory says that there is none.
        challenger: the bundle to solve, which must be of the same shop.

    Raises:
        ShopguideError: the directory holds something else than a whole bundle, it has no fusion
            weights, or it is another shop's.
    """
    if path is None or (Path(path).is_dir() and not any(Path(path).iterdir())):
        return None
    champion = load_bundle(path)
    if champion.manifest.name != challenger.manifest.name:
        raise ShopguideError(
            f"{path}/{MANIFEST} name",
            f"the champion is {champion.manifest.name!r}, the bundle to solve is "
            f"{challenger.manifest.name!r}",
            "Give the bundle that this shop has in production, or leave --champion out",
        )
    if champion.fusion is None:
        raise ShopguideError(
            f"{path}/fusion.json", "there are no fusion weights", "Run `shopguide solve` on it"
        )
    return champion


def champion_scores(
    champion: Bundle, challenger: Bundle, predictions: Mapping[str, Floats], table: pa.Table
) -> Floats | None:
    """Return the champion's scores [N]; None if it was trained on features that are gone.

    The gate refuses such a comparison, and says so in its decision.

    Args:
        champion: with fusion weights.
        challenger: the bundle to solve; if only λ differs, the two predict the same.
        predictions: of the challenger, by task [N].
        table: N rows with the inputs of today's spec.
    """
    assert champion.fusion is not None, "checked when it was opened"
    if _model_of(champion) == _model_of(challenger):
        return champion.fusion.score(predictions)
    try:
        return champion.score(champion.predict(table))
    except ShopguideError as error:
        _log.warning("solve: the champion cannot be scored on these features: %s", error)
        return None


def _model_of(bundle: Bundle) -> list[str | None]:
    """Return the checksums of all that a prediction depends on."""
    return [bundle.manifest.checksums.get(name) for name in _PREDICTS]
