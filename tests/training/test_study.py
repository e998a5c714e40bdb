"""A study: what it searches, what it stops, what it keeps, and that it goes on where it was."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shopguide.bundle import load_bundle
from shopguide.bundle.choice import read_choice
from shopguide.bundle.manifest import Manifest
from shopguide.errors import ShopguideError
from shopguide.spec import Spec
from shopguide.spec.study import Study
from shopguide.training import Surroundings, Tick
from shopguide.training.study import StudyRecord, TrialRecord, run_study
from shopguide.training.study_space import Settings, suggest, with_settings
from tests.training.changes import with_training

pytest.importorskip("optuna", reason="the extra `search` is not installed")

SPACE: dict[str, object] = {
    "learning_rate": [1e-3, 2e-2],
    "weight_decay": None,
    "dropout": None,
    "batch_size": [256, 512],
    "embedding_dim": [],
    "hidden": [[8], [16, 8]],
    "architecture": ["shared_bottom", "mmoe"],
    "warmup_trials": 2,
    "warmup_epochs": 0,
}


@pytest.fixture
def spec(planted_spec: Spec) -> Spec:
    return with_training(planted_spec, study=SPACE, epochs=2)


class Lowest:
    """Answers with the least, or the first."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        assert (name, log) != ("dropout", True)
        return min(low, high)

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        assert name
        return choices[0]


def test_what_the_space_leaves_out_is_the_specs(spec: Spec) -> None:
    space = spec.training.study
    assert space is not None
    settings: Settings = suggest(space, Lowest())
    assert settings == {
        "learning_rate": 1e-3, "batch_size": 256, "architecture": "shared_bottom", "hidden": "8"
    }  # fmt: skip
    single = with_settings(spec, settings)
    assert (single.model.hidden, single.model.embedding_dim) == ([8], spec.model.embedding_dim)
    assert (single.training.batch_size, single.training.study) == (256, None)
    assert {*suggest(Study(), Lowest())} == {
        "learning_rate", "weight_decay", "dropout", "batch_size", "embedding_dim", "architecture",
        "hidden",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("space", "what"),
    [
        ({"learning_rate": [0.1, 0.01]}, "must be below the second"),
        ({"dropout": [0.5, 1.0]}, "must stay below 1"),
        ({"hidden": [[]]}, "at least 1 item"),
        (
            {"learning_rate": None, "weight_decay": None, "dropout": None}
            | {name: [] for name in ("batch_size", "embedding_dim", "hidden", "architecture")},
            "nothing is left to search",
        ),
    ],
)
def test_a_space_that_cannot_be_is_refused(space: dict[str, object], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Study.model_validate(space)


def test_the_best_is_kept_and_counts_all_trials(
    spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    told: list[TrialRecord] = []
    found = run_study(spec, training_set, tmp_path / "model", 6, told=told.append)
    assert told == found.trials
    assert [trial.number for trial in told] == [1, 2, 3, 4, 5, 6]
    finished = [t for t in told if t.state == "finished" and t.valid_loss is not None]
    best = min(finished, key=lambda trial: trial.valid_loss or 0)
    assert (found.best, found.tried) == (best.number, 6)
    assert any(trial.state == "stopped" and trial.epochs == 1 for trial in told[2:])
    bundle = load_bundle(tmp_path / "model")
    assert bundle.spec.training.learning_rate == best.settings["learning_rate"]
    assert bundle.spec.model.architecture == best.settings["architecture"]
    assert read_choice(tmp_path / "model").candidates == 6
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"model", "model.study.db", "model.study.json", ".model.study.db.lock"}


def test_a_study_that_was_killed_ends_as_one_that_was_not(
    spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    whole = run_study(spec, training_set, tmp_path / "whole", 4)
    killed: list[TrialRecord] = []

    def kill(tick: Tick) -> None:
        if len(killed) == 1 and tick.epoch == 2:
            raise KeyboardInterrupt

    out = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        run_study(spec, training_set, out, 4, around=Surroundings(kill), told=killed.append)
    assert (tmp_path / "killed.study.trial2.checkpoint").is_file()
    after: list[TrialRecord] = []
    again = run_study(spec, training_set, out, 4, told=after.append)
    assert [trial.number for trial in after] == [2, 3, 4], "what ended is not trained again"
    assert again == whole
    checksums = [
        Manifest.read(folder / "bundle.json").checksum for folder in (tmp_path / "whole", out)
    ]
    assert checksums[0] == checksums[1]


def test_more_trials_go_on_and_a_lost_bundle_is_trained_again(
    spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    out = tmp_path / "model"
    run_study(spec, training_set, out, 2)
    out.rename(tmp_path / "lost")
    told: list[TrialRecord] = []
    first = run_study(spec, training_set, out, 2, told=told.append)
    assert not told
    assert load_bundle(out).manifest.checksum == load_bundle(tmp_path / "lost").manifest.checksum
    more = run_study(spec, training_set, out, 3, told=told.append)
    assert more.trials[:2] == first.trials
    assert [trial.number for trial in told] == [3]
    assert read_choice(out).candidates == more.tried == 3
    assert StudyRecord.read(tmp_path / "model.study.json") == more


def test_a_loss_that_diverges_ends_a_trial_and_not_the_study(
    spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    space = SPACE | {"learning_rate": [1e29, 1e30]}
    with pytest.raises(ShopguideError, match="each of 2 trials diverged"):
        run_study(with_training(spec, study=space), training_set, tmp_path / "model", 2)
    assert not (tmp_path / "model").exists()


def test_a_database_of_another_study_is_refused(
    spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    run_study(with_training(spec, max_steps=1), training_set, tmp_path / "model", 1)
    with pytest.raises(ShopguideError, match=r"differs in training\.max_steps \(1, now 2\)"):
        run_study(with_training(spec, max_steps=2), training_set, tmp_path / "model", 1)
    (tmp_path / "other.study.db").write_text("no database")
    with pytest.raises(ShopguideError, match="is no database of a study"):
        run_study(spec, training_set, tmp_path / "other", 1)


def test_a_balancer_with_nothing_to_balance_is_told_before_any_trial(
    spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    space = SPACE | {"architecture": ["mmoe", "single_task"], "balancer": ["upgrad"]}
    with pytest.raises(ShopguideError, match="single_task has none") as caught:
        run_study(with_training(spec, study=space), training_set, tmp_path / "model", 1)
    assert caught.value.where == "training.study"
    assert not any(tmp_path.iterdir())


def test_a_folder_of_something_else_is_left_alone(
    spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(ShopguideError, match="is no bundle"):
        run_study(spec, training_set, tmp_path, 1)
