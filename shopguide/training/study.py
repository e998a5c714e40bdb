"""A study: settings searched with Optuna, weak trials stopped early, the best bundle kept.

All that a study knows is in its database, and each trial is drawn with a seed of its own from what
ended before it: one that is killed and started again goes on to the same trials.
"""

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from shopguide.bundle.document import Document
from shopguide.bundle.manifest import MANIFEST, TRAINING
from shopguide.bundle.verify import verified_manifest
from shopguide.bundle.write import with_training
from shopguide.errors import ShopguideError
from shopguide.features.reading import TrainingSet
from shopguide.spec import Spec
from shopguide.spec.study import Study
from shopguide.training.candidates import settle
from shopguide.training.checkpoint import differences
from shopguide.training.step import DivergedError
from shopguide.training.study_space import Settings, space_of, suggest, with_settings
from shopguide.training.summary import EpochRecord, TrainingRecord
from shopguide.training.train import Surroundings, identity_of, train

_NAME = "shopguide"
_BEGUN, _DIVERGED, _VERSION, _EPOCHS = "begun", "diverged", "version", "epochs"  # of a trial
_IDENTITY = "identity"  # of a study
_SHOWN = 5
_log = logging.getLogger(__name__)

State = Literal["finished", "stopped", "diverged"]


class TrialRecord(Document):
    """One model of a study.

    Args:
        number: from 1, in the order in which they ended.
        state: finished, stopped early by the median of the others, or diverged.
        valid_loss: relative validation loss of its best epoch; None where it diverged.
        epochs: that it was trained for.
        settings: what the study chose.
    """

    number: int
    state: State
    valid_loss: float | None
    epochs: int
    settings: dict[str, float | int | str]


class StudyRecord(Document):
    """What came of a study.

    Args:
        tried: trials of all states: what the best one was chosen from.
        best: number of the trial whose bundle was kept.
    """

    tried: int
    best: int
    trials: list[TrialRecord]


Told = Callable[[TrialRecord], None]
"""Called with each trial that ended."""


@dataclass(slots=True)
class _Search:
    """A study at work."""

    spec: Spec
    space: Study
    training_set: Path
    out: Path
    around: Surroundings
    optuna: Any
    study: Any = None
    told: Told = field(default=lambda _: None)

    def ended(self) -> list[Any]:
        """Return the trials that came to an end of their own, in that order."""
        states = self.optuna.trial.TrialState
        own = [
            trial
            for trial in self.study.get_trials(deepcopy=False)
            if trial.state in (states.COMPLETE, states.PRUNED)
            or (trial.state == states.FAIL and _DIVERGED in trial.user_attrs)
        ]
        return sorted(own, key=lambda trial: trial.datetime_complete)

    def finished(self) -> list[Any]:
        """Return the trials that have a model."""
        return [t for t in self.ended() if t.state == self.optuna.trial.TrialState.COMPLETE]

    def take_up(self) -> None:
        """Queue again what a killed process was at; nobody else holds the lock."""
        states = self.optuna.trial.TrialState
        for trial in self.study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            if _BEGUN in trial.user_attrs:
                self.study.enqueue_trial(trial.params, skip_if_exists=False)
            self.study.tell(trial.number, state=states.FAIL)

    def run_trial(self) -> None:
        """Draw settings, train with them, and keep the bundle if it is the best so far."""
        done = len(self.ended())
        self.study.sampler = self.optuna.samplers.TPESampler(
            seed=(self.spec.seed + done) % 2**32, n_startup_trials=self.space.warmup_trials
        )
        trial = self.study.ask()
        settings = suggest(self.space, trial)
        trial.set_user_attr(_BEGUN, value=True)
        states = self.optuna.trial.TrialState
        bundle = self.out.with_name(f".{self.out.name}.trial")
        checkpoint = _beside(self.out, f"trial{done + 1}.checkpoint")
        try:
            loss = self._train(trial, settings, bundle, checkpoint)
        except self.optuna.TrialPruned:
            self.study.tell(trial, state=states.PRUNED)
        except DivergedError as error:
            trial.set_user_attr(_DIVERGED, str(error))
            self.study.tell(trial, state=states.FAIL)
        else:
            best = min((t.value for t in self.finished()), default=float("inf"))
            settle(bundle, self.out if loss < best else None)
            self.study.tell(trial, loss)
        checkpoint.unlink(missing_ok=True)

    def _train(self, trial: Any, settings: Settings, bundle: Path, checkpoint: Path) -> float:  # noqa: ANN401 - Optuna's
        def after_epoch(epochs: Sequence[EpochRecord]) -> None:
            for epoch in epochs[trial.user_attrs.get(_EPOCHS, 0) :]:
                trial.report(epoch.valid_loss, epoch.epoch)
            trial.set_user_attr(_EPOCHS, len(epochs))
            if trial.should_prune():
                raise self.optuna.TrialPruned

        around = replace(self.around, checkpoint=checkpoint, resume=True, after_epoch=after_epoch)
        summary = train(with_settings(self.spec, settings), self.training_set, bundle, around)
        trial.set_user_attr(_VERSION, summary.version)
        record = summary.record
        return record.epochs[record.best_epoch - 1].valid_loss

    def record(self) -> StudyRecord:
        """Return what came of it so far."""
        best = min(self.finished(), key=lambda trial: trial.value)
        trials = self.ended()
        return StudyRecord(
            tried=len(trials),
            best=1 + [trial.number for trial in trials].index(best.number),
            trials=[self.trial_record(number, trial) for number, trial in enumerate(trials, 1)],
        )

    def trial_record(self, number: int, trial: Any) -> TrialRecord:  # noqa: ANN401 - Optuna's
        """Return how one trial did."""
        states = self.optuna.trial.TrialState
        named: dict[Any, State] = {states.COMPLETE: "finished", states.PRUNED: "stopped"}
        reported = [*trial.intermediate_values.values()]
        return TrialRecord(
            number=number,
            state=named.get(trial.state, "diverged"),
            valid_loss=min(reported, default=None) if trial.state in named else None,
            epochs=len(reported),
            settings=dict(trial.params),
        )

    def keep_best(self) -> None:
        """See that the best trial's bundle is there, and that it counts all trials."""
        best = min(self.finished(), key=lambda trial: trial.value)
        known = {best.user_attrs[_VERSION], self.study.user_attrs.get(_VERSION)}
        if not (self.out / MANIFEST).is_file() or verified_manifest(self.out).version not in known:
            _log.info("study: the best trial's bundle is gone; training it again")
            train(with_settings(self.spec, best.params), self.training_set, self.out, self.around)
        record = TrainingRecord.read(self.out / TRAINING)
        counted = record.model_copy(update={"candidates": len(self.ended())})
        version = with_training(self.out, self.out, counted).version
        self.study.set_user_attr(_VERSION, version)


def run_study(
    spec: Spec,
    training_set: str | Path,
    out: str | Path,
    trials: int,
    *,
    around: Surroundings | None = None,
    told: Told | None = None,
) -> StudyRecord:
    """Search the settings that `training.study` leaves open, and keep the best trial's bundle.

    The study is `OUT.study.db`; if it is there, it goes on until it has the number of trials. A
    trial whose validation loss after an epoch is above the median of the others' is stopped.

    Args:
        spec: checked spec; reads `training.study`, or takes the default space.
        training_set: folder that `materialize_features` wrote.
        out: folder of the best trial's bundle.
        trials: how many there shall be in all, the stopped ones included; at least 1.
        around: what surrounds each run; its checkpoint is the study's own affair.
        told: called with each trial that ended.

    Raises:
        ShopguideError: Optuna is missing, the database is of another study, no trial came to an
            end, or what `train_mtl` raises, but for a loss that diverges: that ends a trial.
    """
    out = Path(out)
    optuna = _optuna()
    _require_place(out)
    around = replace(around or Surroundings(), candidates=trials)
    space = space_of(spec)
    search = _Search(spec, space, Path(training_set), out, around, optuna)
    identity = identity_of(spec) | {
        "study": space.model_dump(mode="json"),
        "training_set": TrainingSet.open(training_set, spec).checksums,
    }
    with _opened(optuna, _beside(out, "db"), space) as search.study:
        _require_same(search.study, identity, _beside(out, "db"))
        search.take_up()
        while len(search.ended()) < trials:
            search.run_trial()
            last = search.ended()
            if told is not None and last:
                told(search.trial_record(len(last), last[-1]))
        if not search.finished():
            raise ShopguideError(
                "training.study",
                f"the loss of each of {trials} trials diverged",
                "Lower the learning rates of the space",
            )
        search.keep_best()
        record = search.record()
    record.write(_beside(out, "json"))
    _log.info("study: trial %d is the best of %d", record.best, record.tried)
    return record


def _optuna() -> Any:  # noqa: ANN401 - a module that may be missing
    try:
        import optuna
    except ImportError:
        raise ShopguideError(
            "--study", "needs Optuna, which is not installed", "Run pip install 'shopguide[search]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


@contextmanager
def _opened(optuna: Any, database: Path, space: Study) -> Iterator[Any]:  # noqa: ANN401
    """Open a study's database, or make it; one process at a time."""
    from sqlalchemy.exc import SQLAlchemyError

    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f".{database.name}.lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ShopguideError(
                str(database), "another process is at this study", "Wait for it"
            ) from None
        storage = None
        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{database}")
            study = optuna.create_study(
                storage=storage,
                study_name=_NAME,
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(
                    n_startup_trials=space.warmup_trials, n_warmup_steps=space.warmup_epochs + 1
                ),
            )
        except (optuna.exceptions.OptunaError, SQLAlchemyError, RuntimeError) as error:
            first = str(error).split("\n")[0]
            raise ShopguideError(
                str(database), f"is no database of a study: {first}", "Remove it to start anew"
            ) from None
        try:
            yield study
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _require_same(study: Any, identity: dict[str, object], database: Path) -> None:  # noqa: ANN401
    now = json.loads(json.dumps(identity))
    former = study.user_attrs.get(_IDENTITY)
    if former is None:
        study.set_user_attr(_IDENTITY, now)
        return
    found = list(differences(former, now))
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ShopguideError(
            str(database),
            f"is of another study, which differs in {', '.join(found[:_SHOWN])}{more}",
            "Go on with the spec and the training set it began with, or name another --out",
        )


def _require_place(out: Path) -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ShopguideError(
            "--study", "trains one model after another in one process", "Start it without torchrun"
        )
    if out.exists() and not (out / MANIFEST).is_file():
        raise ShopguideError(str(out), "exists and is no bundle", "Name another --out")


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(f"{out.name}.study.{ending}")
