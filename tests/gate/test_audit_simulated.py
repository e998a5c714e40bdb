"""Without a log of one's own, the audit simulates one, and the rates are as promised there too."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from shopguide.errors import ShopguideError
from shopguide.gate import Audit, audit
from shopguide.gate.arms import Arms, rankings
from shopguide.gate.audited import days_covered, simulated
from shopguide.gate.statistics import compare
from shopguide.logs.simulator import outcome_of, simulate
from shopguide.objective.replay import Requests
from shopguide.spec import Spec, load_spec
from shopguide.spec.simulator import Simulator
from tests.gate.test_cli import run

SPEC = Path(__file__).parents[2] / "specs" / "simulator.yaml"
SMALL = ["data.users=400", "gate.replicates=400"]


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_spec(SPEC, overrides=SMALL)


@pytest.fixture(scope="module")
def measured(spec: Spec) -> Audit:
    return audit(spec, runs=1000, challengers=1, nights=1)


def test_the_simulated_period_is_that_of_the_split(spec: Spec, measured: Audit) -> None:
    assert isinstance(spec.data, Simulator)
    shop = simulate(spec.data)
    inside = (shop.lists.day >= 45) & (shop.lists.day < 54)  # 15 to 24 February
    assert measured.requests == inside.sum()
    assert measured.users == len(np.unique(shop.lists.user[inside]))
    assert measured.days == 9
    assert measured.against == "simulated champion"


def test_models_of_equal_quality_are_promoted_as_rarely_as_promised(measured: Audit) -> None:
    assert measured.false_gain <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / measured.runs)
    assert measured.false_by_estimate == pytest.approx(0.5, abs=3 * np.sqrt(0.25 / measured.runs))
    for point in measured.power:
        assert point.by_gain == pytest.approx(point.oracle, abs=0.05 + 1.5 / np.sqrt(1000))


def test_the_two_simulated_models_differ_and_neither_is_blind(spec: Spec) -> None:
    assert isinstance(spec.data, Simulator)
    pair = simulated(spec, spec.data).arms
    assert (pair.reference != pair.challenger).any()
    shuffled = simulated(spec.model_copy(update={"seed": 1}), spec.data).arms
    assert (pair.reference != shuffled.reference).any()
    assert (pair.requests == shuffled.requests).all()


@pytest.mark.slow
def test_fresh_users_and_fresh_luck_are_promoted_as_rarely_as_relabelled_ones() -> None:
    """Relabelling keeps the users; here every run has new ones, new outcomes and new models."""
    spec = load_spec(
        SPEC, overrides=["data.users=30000", "data.requests_per_user=4", "data.list_length=5"]
    )
    assert isinstance(spec.data, Simulator)
    shop, goals, promoted = simulate(spec.data), spec.objective.goals, []
    truth = np.log(shop.expected("purchase", examined=True).ravel())
    asked = Requests.from_table(shop.labelled(spec), spec)
    outcomes = {name: outcome_of(task, name) for name, task in spec.tasks.items()}
    for draw in range(15):
        drawn = shop.redrawn(draw).drawn
        lucky = {name: drawn.of(outcome).ravel() for name, outcome in outcomes.items()}
        requests = replace(asked, outcomes=lucky)
        stream = np.random.default_rng(draw)
        scores = [truth + 0.5 * stream.normal(size=len(truth)) for _ in range(2)]
        pair = rankings(requests, scores[0], scores[1], spec.objective)
        for block in np.array_split(np.arange(requests.users), 60):
            sides = (pair.reference[block], pair.challenger[block], pair.requests[block])
            terms = {"confidence": 0.95, "replicates": 500, "seed": len(promoted)}
            found = compare([Arms(pair.tasks, *sides)], goals, **terms)[0].objective
            assert found is not None
            promoted.append(found.lower > 0)
    # 900 runs of 500 users each; BCa is right to second order, so a percent more is allowed for
    error = np.sqrt(0.05 * 0.95 / len(promoted))
    assert abs(np.mean(promoted) - 0.05) <= 3 * error + 0.01


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"challenger": "model"}, "given is --challenger"),
        ({"champion": "model"}, "given is --champion"),
        ({"test_set": "data"}, "given is --data"),
    ],
)
def test_half_of_what_an_audit_needs_is_refused(
    spec: Spec, given: dict[str, str], message: str
) -> None:
    with pytest.raises(ShopguideError, match="a bundle and a test set are needed") as caught:
        audit(spec, **given)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_shop_of_ones_own_is_not_simulated(complete_journey_spec: Path) -> None:
    with pytest.raises(ShopguideError, match="neither; the spec's data are complete_journey"):
        audit(load_spec(complete_journey_spec))


def test_a_test_period_outside_the_simulated_days_is_refused(spec: Spec) -> None:
    late = spec.model_copy(update={"data": spec.data.model_copy(update={"days": 40})})
    with pytest.raises(ShopguideError, match=r"spec split\.test: holds none of the simulator's 40"):
        audit(late)


def test_the_command_prints_one_line_with_its_figures(tmp_path: Path) -> None:
    small = [word for override in SMALL for word in ("--set", override)]
    done = run("audit", "--spec", SPEC, *small, "--runs", "100", "--out", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert found == json.loads((tmp_path / "audit.json").read_text())
    assert found["runs"] == found["several"]["runs"] == found["nightly"]["runs"] == 100
    assert found["several"]["members"] == 5
    assert found["nightly"]["members"] == 30
    assert (tmp_path / "audit.html").is_file()


def test_a_shop_stamped_by_the_week_counts_its_last_week_whole(spec: Spec) -> None:
    monday, last = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 12, tzinfo=UTC)
    weekly = spec.model_copy(
        update={"features": spec.features.model_copy(update={"period": "week"})}
    )
    assert days_covered(monday, last, weekly) == 7 * 7
