"""Several models of one spec, of which the gate gets the best on the validation period."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

from shopguide.bundle.choice import CandidateRecord, Candidates
from shopguide.bundle.manifest import MANIFEST
from shopguide.spec import Spec
from shopguide.spec.candidates import candidate_of, candidate_specs
from shopguide.training.distributed import environment_rank
from shopguide.training.summary import TrainingSummary
from shopguide.training.train import Surroundings, train

_log = logging.getLogger(__name__)


def train_candidate(
    spec: Spec,
    training_set: str | Path,
    out: str | Path,
    name: str,
    *,
    around: Surroundings | None = None,
) -> TrainingSummary:
    """Train one of the candidates; its record says how many there are.

    Args:
        spec: checked spec; reads `training.candidates`.
        training_set: folder that `materialize_features` wrote.
        out: folder of the bundle.
        name: of the candidate.
        around: what surrounds the run.

    Raises:
        ShopguideError: there is no such candidate, or what `train_mtl` raises.
    """
    around = replace(around or Surroundings(), candidates=len(candidate_specs(spec)))
    return train(candidate_of(spec, name).spec, Path(training_set), Path(out), around)


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
    out, around = Path(out), around or Surroundings()
    names = [candidate.name for candidate in candidate_specs(spec)]
    if len(names) == 1:
        summary = train_candidate(spec, training_set, out, names[0], around=around)
        record = record_of(names[0], summary)
        return summary, Candidates(chosen=record.name, tried=1, candidates=[record])
    best: TrainingSummary | None = None
    chosen, records = "", []
    for name in names:
        trial = out.with_name(f".{out.name}.{name}")
        own = around.checkpoint and around.checkpoint.with_name(f"{out.name}.{name}")
        summary = train_candidate(
            spec, training_set, trial, name, around=replace(around, checkpoint=own)
        )
        records.append(record_of(name, summary))
        keep = best is None or records[-1].valid_loss < min(r.valid_loss for r in records[:-1])
        if keep:
            best, chosen = summary, name
        settle(trial, out if keep else None)
    assert best is not None
    records.sort(key=lambda record: record.valid_loss)
    _log.info("candidates: %s is the best of %d", chosen, len(records))
    return best, Candidates(chosen=chosen, tried=len(records), candidates=records)


def settle(trial: Path, out: Path | None) -> None:
    """Move a bundle to where it is wanted, or remove it; the leading process does."""
    if environment_rank():
        return
    if out is None:
        shutil.rmtree(trial)
        return
    if (out / MANIFEST).is_file():
        shutil.rmtree(out)
    trial.rename(out)


def record_of(name: str, summary: TrainingSummary) -> CandidateRecord:
    """Return how a candidate did, from the summary of its training."""
    record = summary.record
    return CandidateRecord(
        name=name,
        version=summary.version,
        valid_loss=record.epochs[record.best_epoch - 1].valid_loss,
        valid_auc=record.valid_auc,
    )
