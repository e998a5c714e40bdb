"""The whole way on a shop whose truth is known: the truth says what the gate says."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from shopguide.bundle import load_bundle
from shopguide.features import materialize_features
from shopguide.gate import Decision, decide
from shopguide.logs import prepare_logs
from shopguide.logs.simulator import Shop, outcome_of, simulate
from shopguide.objective import solve_objective
from shopguide.objective.replay import Requests, goal_values, objective_value, user_sums
from shopguide.spec import Spec, load_spec
from shopguide.spec.simulator import Simulator
from shopguide.training import train_mtl
from shopguide.validation import validate_data

SPEC = Path(__file__).parents[2] / "specs" / "simulator.yaml"

pytestmark = [
    pytest.mark.slow,
]


@dataclass(frozen=True)
class Walked:
    spec: Spec
    shop: Shop
    folder: Path
    valid: bool

    def trained(self, name: str, **training: object) -> Path:
        """Train a model, solve its λ, and return its bundle."""
        if (self.folder / name).exists():
            return self.folder / name
        spec = self.spec.model_copy(
            update={"training": self.spec.training.model_copy(update=training)}
        )
        data = self.folder / "training_set"
        train_mtl(spec, data, self.folder / f"{name}_raw")
        solve_objective(spec, self.folder / f"{name}_raw", data, self.folder / name)
        return self.folder / name

    def judged(self, challenger: Path, champion: Path | None = None) -> Decision:
        data = self.folder / "training_set"
        out = self.folder / f"{challenger.name}_decision"
        return decide(self.spec, challenger, data, out, champion=champion)

    def true_gain(self, challenger: Path, champion: Path) -> float:
        """J − 1 with every outcome replaced by its expectation where it was shown."""
        table = pq.read_table(self.folder / "training_set" / "test.parquet")
        expected = {
            name: self.shop.truth_of(table, outcome_of(task, name))
            for name, task in self.spec.tasks.items()
        }
        requests = replace(Requests.from_table(table, self.spec), outcomes=expected)
        goals, tasks = self.spec.objective.goals, list(self.spec.tasks)
        found = []
        for path in (champion, challenger):
            model = load_bundle(path)
            scores = model.score(model.predict(table))
            sums = user_sums(requests, scores, tasks, self.spec.objective.discount)
            found.append(goal_values(sums.sum(axis=0), float(len(requests.user)), tasks, goals))
        return float(objective_value(found[1], found[0], goals)) - 1


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("simulated")
    small = ["data.users=900", "data.requests_per_user=24", "training.threads=1"]
    fast = ["training.epochs=4", "gate.max_latency_ms=null", "model.hidden=[64, 32]"]
    spec = load_spec(SPEC, overrides=[*small, *fast, f"home={folder / 'home'}"])
    assert isinstance(spec.data, Simulator)
    prepare_logs(spec, folder / "log")
    materialize_features(spec, folder / "log", folder / "training_set")
    data = validate_data(spec, folder / "log", folder / "training_set", folder / "data.html")
    return Walked(spec, simulate(spec.data), folder, data.passes)


def test_a_better_model_is_promoted_and_the_truth_agrees(walked: Walked) -> None:
    assert walked.valid
    good, weak = walked.trained("good"), walked.trained("weak", max_steps=1)
    first = walked.judged(good)
    assert first.verdict == "promote", first.because
    decision = walked.judged(good, champion=weak)
    truth = walked.true_gain(good, weak)
    assert decision.verdict == "promote", decision.because
    assert decision.objective is not None
    assert 0 < decision.objective.lower < truth < decision.objective.upper
    back = walked.judged(weak, champion=good)
    assert back.verdict == "refuse"


def test_a_models_expectations_are_those_of_the_truth_on_average(walked: Walked) -> None:
    table = pq.read_table(walked.folder / "training_set" / "test.parquet")
    predicted = load_bundle(walked.trained("good")).predict(table)
    for name, task in walked.spec.tasks.items():
        truth = walked.shop.truth_of(table, outcome_of(task, name))
        assert predicted[name].mean() == pytest.approx(truth.mean(), rel=0.2)
        assert np.corrcoef(np.log(predicted[name]), np.log(truth))[0, 1] > 0.4
