"""Several models of one spec, of which the gate gets the best on the validation period."""

import logging
import shutil
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from shopguide.bundle.document import Document
from shopguide.bundle.manifest import MANIFEST
from shopguide.spec import Spec
from shopguide.training.distributed import environment_rank
from shopguide.training.summary import TrainingSummary
from shopguide.training.train import Surroundings, train

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model to train.

    Args:
        name: `ARCHITECTURE-BALANCER-SEED`.
        spec: the spec with these three set.
    """

    name: str
    spec: Spec


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
    """`candidates.json`: all that were trained, best first; the gate corrects for their number."""

    chosen: str
    tried: int
    candidates: list[CandidateRecord]


def candidate_specs(spec: Spec) -> list[Candidate]:
    """Return the spec of each candidate: all combinations of what `training.candidates` lists."""
    block = spec.training.candidates
    if block is None:
        return [Candidate(_name(spec), spec)]
    choices = product(
        block.architectures or [spec.model.architecture],
        block.balancers or [spec.training.balancer],
        block.seeds or [spec.seed],
    )
    found = {}
    for architecture, balancer, seed in choices:
        single = spec.model_copy(
            update={
                "seed": seed,
                "model": spec.model.model_copy(update={"architecture": architecture}),
                "training": spec.training.model_copy(
                    update={"balancer": balancer, "candidates": None}
                ),
            }
        )
        found[_name(single)] = Candidate(_name(single), single)
    return list(found.values())


def train_candidates(
    spec: Spec, training_set: str | Path, out: str | Path, *, around: Surroundings | None = None
) -> tuple[TrainingSummary, Candidates]:
    """Train all candidates, and keep the bundle of the one with the lowest validation loss.

    Args:
        spec: checked spec; reads `training.candidates`.
        training_set: folder that `materialize_features` wrote.
        out: folder of the best one's bundle; the others are not kept.
        around: what surrounds each run; with a checkpoint, each has one named after it.

    Raises:
        ShopguideError: what `train_mtl` raises.
    """
    out, candidates = Path(out), candidate_specs(spec)
    around = replace(around or Surroundings(), candidates=len(candidates))
    if len(candidates) == 1:
        summary = train(candidates[0].spec, Path(training_set), out, around)
        record = _record(candidates[0], summary)
        return summary, Candidates(chosen=record.name, tried=1, candidates=[record])
    best: TrainingSummary | None = None
    chosen, records = "", []
    for candidate in candidates:
        trial = out.with_name(f".{out.name}.{candidate.name}")
        own = around.checkpoint and around.checkpoint.with_name(f"{out.name}.{candidate.name}")
        summary = train(candidate.spec, Path(training_set), trial, replace(around, checkpoint=own))
        records.append(_record(candidate, summary))
        keep = best is None or records[-1].valid_loss < min(r.valid_loss for r in records[:-1])
        if keep:
            best, chosen = summary, candidate.name
        _settle(trial, out if keep else None)
    assert best is not None
    records.sort(key=lambda record: record.valid_loss)
    _log.info("candidates: %s is the best of %d", chosen, len(records))
    return best, Candidates(chosen=chosen, tried=len(records), candidates=records)


def _settle(trial: Path, out: Path | None) -> None:
    """Move a bundle to where it is wanted, or remove it; the leading process does."""
    if environment_rank():
        return
    if out is None:
        shutil.rmtree(trial)
        return
    if (out / MANIFEST).is_file():
        shutil.rmtree(out)
    trial.rename(out)


def _record(candidate: Candidate, summary: TrainingSummary) -> CandidateRecord:
    record = summary.record
    return CandidateRecord(
        name=candidate.name,
        version=summary.version,
        valid_loss=record.epochs[record.best_epoch - 1].valid_loss,
        valid_auc=record.valid_auc,
    )


def _name(spec: Spec) -> str:
    return f"{spec.model.architecture}-{spec.training.balancer}-{spec.seed}"
