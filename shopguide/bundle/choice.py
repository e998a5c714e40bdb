"""The choice among bundles of one spec, by what their training records say; no training code."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from shopguide.bundle.document import Document
from shopguide.bundle.manifest import MANIFEST, SPEC, TRAINING
from shopguide.bundle.verify import verified_manifest
from shopguide.files import atomic_directory
from shopguide.spec import load_spec
from shopguide.spec.candidates import candidate_name

_log = logging.getLogger(__name__)


class _Epoch(Document):
    model_config = ConfigDict(extra="ignore")

    valid_loss: float


class Choice(Document):
    """What `training.json` says about the choice among candidates.

    Args:
        candidates: models of which this one is or was, itself included.
        epochs: with their relative validation losses.
        best_epoch: the one whose weights were kept, from 1.
        valid_auc: AUC by binary task on the validation period.
    """

    model_config = ConfigDict(extra="ignore")

    candidates: Annotated[int, Field(ge=1)] = 1
    epochs: list[_Epoch] = Field(default_factory=list)
    best_epoch: int = 0
    valid_auc: dict[str, float] = Field(default_factory=dict)


class CandidateRecord(Document):
    """How a candidate did.

    Args:
        valid_loss: relative validation loss of its best epoch, which is what is compared.
    """

    name: str
    version: str
    valid_loss: float
    valid_auc: dict[str, float]


class Candidates(Document):
    """`candidates.json`: all that were trained, best first.

    Args:
        tried: how many there were; the gate reads the number from the chosen bundle.
    """

    chosen: str
    tried: int
    candidates: list[CandidateRecord]

    def metrics(self) -> dict[str, float]:
        """Return what a tracking server shows: the number, and each one's validation loss."""
        losses = {f"valid_loss_{one.name}": one.valid_loss for one in self.candidates}
        return {"candidates": float(self.tried)} | losses


def read_choice(bundle: str | Path) -> Choice:
    """Return how a bundle was chosen; one whose record does not say it is one of one.

    Args:
        bundle: folder of the bundle.

    Raises:
        ShopguideError: there is no record of the training, or it counts no candidates.
    """
    return Choice.read(Path(bundle) / TRAINING)


def choose_candidate(bundles: Sequence[str | Path], out: str | Path) -> Candidates:
    """Copy the bundle with the lowest validation loss; of equal ones, the first.

    Args:
        bundles: at least one, of one spec's candidates.
        out: folder of the copy; an older bundle there is replaced.

    Raises:
        ShopguideError: one is not a whole bundle, or `out` holds something else.
    """
    assert bundles, "a spec has at least one candidate"
    records = {Path(path): _record(Path(path)) for path in bundles}
    ranked = sorted(records, key=lambda path: records[path].valid_loss)
    with atomic_directory(Path(out), marker=MANIFEST) as folder:
        shutil.copytree(ranked[0], folder, dirs_exist_ok=True)
    chosen = records[ranked[0]].name
    _log.info("candidates: %s is the best of %d", chosen, len(ranked))
    found = [records[path] for path in ranked]
    return Candidates(chosen=chosen, tried=len(found), candidates=found)


def _record(bundle: Path) -> CandidateRecord:
    choice = read_choice(bundle)
    return CandidateRecord(
        name=candidate_name(load_spec(bundle / SPEC)),
        version=verified_manifest(bundle).version,
        valid_loss=choice.epochs[choice.best_epoch - 1].valid_loss,
        valid_auc=choice.valid_auc,
    )
