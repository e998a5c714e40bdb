"""A whole decision, from bundles and a test set whose truth is known."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.bundle import load_bundle
from shopguide.gate import Decision, decide, read_decision
from shopguide.spec import Spec, check_text
from tests.gate.conftest import SPEC, TRUTH, VAGUE, Shop


def changed(spec: Spec, **gate: object) -> Spec:
    return spec.model_copy(update={"gate": spec.gate.model_copy(update=gate)})


def test_a_planted_better_model_is_promoted(shop: Shop, tmp_path: Path) -> None:
    decision = decide(
        shop.spec, shop.model("good"), shop.test_set, tmp_path, champion=shop.model("vague", VAGUE)
    )
    assert decision.verdict == "promote"
    assert decision.reasons == ()
    assert decision.objective is not None
    assert decision.objective.lower > 0


def test_the_estimate_is_the_change_of_what_the_ranking_brings(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    decision = decide(shop.spec, shop.model("good"), shop.test_set, tmp_path, champion=vague)
    table = shop.table()
    shape = (1600, 10)  # requests and candidates, in the order of the rows

    def brought(bundle: Path, outcome: str) -> float:
        model = load_bundle(bundle)
        scores = model.score(model.predict(table)).reshape(shape)
        best = np.argsort(-scores, axis=1)[:, :3]
        return float(
            np.take_along_axis(table[outcome].to_numpy().reshape(shape), best, 1).sum(1).mean()
        )

    for goal, outcome in (("ctr", "click"), ("sales", "order_value")):
        found = decision.goals[goal]
        assert found.champion == pytest.approx(brought(vague, outcome))
        assert found.challenger == pytest.approx(brought(shop.model("good"), outcome))
        assert found.change == pytest.approx(found.challenger / found.champion - 1)
    assert decision.objective is not None
    changes = [goal.change for goal in decision.goals.values()]
    assert decision.objective.estimate == pytest.approx(np.mean(changes))


def test_a_model_that_ranks_alike_is_not_promoted(shop: Shop, tmp_path: Path) -> None:
    twin = shop.model("twin", seed=1)
    decision = decide(shop.spec, twin, shop.test_set, tmp_path, champion=shop.model("good"))
    assert decision.objective is not None
    assert decision.objective.estimate == 0
    assert decision.reasons == ("gain_not_shown",)
    assert "they rank alike" in decision.warnings[0]


def test_the_champion_itself_is_refused_as_identical(shop: Shop, tmp_path: Path) -> None:
    good = shop.model("good")
    decision = decide(shop.spec, good, shop.test_set, tmp_path, champion=good)
    assert decision.verdict == "refuse"
    assert decision.reasons == ("identical",)


def test_winning_by_giving_up_a_goal_is_refused_with_its_name(shop: Shop, tmp_path: Path) -> None:
    greedy = shop.model("greedy", fusion={"order_value": 1.0})
    clicks = shop.model("clicks", fusion={"click": 1.0})
    decision = decide(shop.spec, greedy, shop.test_set, tmp_path, champion=clicks)
    assert decision.objective is not None
    assert decision.objective.passes
    assert decision.reasons == ("goal_may_lose:ctr",)
    assert "click rate" in decision.because[0]


def test_without_thresholds_nothing_is_promoted(shop: Shop, tmp_path: Path) -> None:
    spec = changed(shop.spec, min_gain=None)
    vague = shop.model("vague", VAGUE)
    decision = decide(spec, shop.model("good"), shop.test_set, tmp_path, champion=vague)
    assert decision.reasons == ("no_min_gain",)
    first = decide(spec, shop.model("good"), shop.test_set, tmp_path)
    assert first.reasons == ("no_min_gain",)


def test_a_first_champion_must_beat_popularity_and_reach_the_floors(
    shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    decision = decide(
        shop.spec, shop.model("good"), shop.test_set, tmp_path / "out", champion=tmp_path / "empty"
    )
    assert decision.verdict == "promote"
    assert decision.objective is None
    assert decision.champion is None
    assert decision.baseline is not None
    assert decision.baseline.lower > 0
    noise = shop.model("noise", ((0.1, 0.0, 1.0), (0.0, 0.0, 1.0)))
    refused = decide(shop.spec, noise, shop.test_set, tmp_path / "out")
    assert "baseline_not_beaten" in refused.reasons
    assert "below_floor:click.auc" in refused.reasons


def test_a_first_champion_without_floors_or_baseline_is_refused(shop: Shop, tmp_path: Path) -> None:
    spec = changed(shop.spec, floors={}, baseline=None)
    decision = decide(spec, shop.model("good"), shop.test_set, tmp_path)
    assert decision.reasons == ("no_floors", "no_baseline")


def test_a_test_period_within_what_a_model_learnt_from_is_not_trusted(
    shop: Shop, tmp_path: Path
) -> None:
    later = SPEC.replace("start: 2024-02-01, end: 2024-03-01", "start: 2024-02-01, end: 2024-03-08")
    later = later.replace("start: 2024-03-01, end", "start: 2024-03-08, end")
    spec = check_text(later, where="later spec")
    peeked = shop.model("peeked", VAGUE, spec=spec)
    decision = decide(shop.spec, shop.model("good"), shop.test_set, tmp_path, champion=peeked)
    assert decision.verdict == "invalid"
    assert decision.reasons == ("period_overlap:champion",)
    for day in ("2024-03-01", "2024-03-30", "2024-01-01", "2024-03-08"):  # both periods by name
        assert day in decision.because[0]


def test_models_of_different_tasks_are_not_compared(shop: Shop, tmp_path: Path) -> None:
    fewer = check_text(
        SPEC.replace(
            "  order_value: {kind: amount, event: purchase, after: purchase, "
            "title: order value, unit: EUR}\n",
            "",
        ).replace("task: order_value", "task: purchase"),
        where="fewer tasks",
    )
    other = shop.model("other_tasks", VAGUE, spec=fewer, fusion={"click": 1.0})
    decision = decide(shop.spec, shop.model("good"), shop.test_set, tmp_path, champion=other)
    assert decision.verdict == "invalid"
    assert "incompatible_tasks:champion" in decision.reasons
    assert decision.objective is None


def test_models_of_different_feature_services_are_not_compared(shop: Shop, tmp_path: Path) -> None:
    renamed = check_text(SPEC.replace("name: planted", "name: elsewhere"), where="renamed")
    other = shop.model("elsewhere", VAGUE, spec=renamed)
    decision = decide(shop.spec, shop.model("good"), shop.test_set, tmp_path, champion=other)
    assert decision.reasons == ("incompatible_feature_service:champion",)


def test_a_leaked_label_is_not_trusted(shop: Shop, tmp_path: Path) -> None:
    table = shop.table()
    label = table["click"].to_numpy().astype(float)
    leaked = table.set_column(table.column_names.index("appeal"), "appeal", pa.array(4 * label - 2))
    pq.write_table(leaked, tmp_path / "leaked.parquet")
    vague = shop.model("vague", VAGUE)
    decision = decide(
        shop.spec, shop.model("good"), tmp_path / "leaked.parquet", tmp_path / "out", champion=vague
    )
    assert decision.verdict == "invalid"
    assert "label_leak:click" in decision.reasons


@pytest.mark.parametrize("bias", [1.0, -3.0])
def test_predictions_of_the_wrong_size_are_refused(shop: Shop, tmp_path: Path, bias: float) -> None:
    inflated = shop.model(f"bias{bias:g}", TRUTH, bias=(bias, -1.0))
    vague = shop.model("vague", VAGUE)
    decision = decide(shop.spec, inflated, shop.test_set, tmp_path, champion=vague)
    assert "calibration:click" in decision.reasons
    unguarded = decide(
        changed(shop.spec, calibration=None), inflated, shop.test_set, tmp_path, champion=vague
    )
    assert unguarded.promote


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ({"min_users": 401}, "too_few_users"),
        ({"min_events": 1_000_000}, "too_few_events:click"),
    ],
)
def test_too_little_to_judge_by_is_not_judged(
    shop: Shop, tmp_path: Path, gate: dict[str, object], reason: str
) -> None:
    vague = shop.model("vague", VAGUE)
    decision = decide(
        changed(shop.spec, **gate), shop.model("good"), shop.test_set, tmp_path, champion=vague
    )
    assert decision.verdict == "invalid"
    assert reason in decision.reasons


def test_a_goal_that_is_zero_for_the_champion_has_no_change(shop: Shop, tmp_path: Path) -> None:
    table = shop.table()
    nothing = pa.array(np.zeros(table.num_rows))
    table = table.set_column(table.column_names.index("order_value"), "order_value", nothing)
    pq.write_table(table, tmp_path / "free.parquet")
    decision = decide(
        changed(shop.spec, min_events=1),
        shop.model("good"),
        tmp_path / "free.parquet",
        tmp_path / "out",
        champion=shop.model("vague", VAGUE),
    )
    assert decision.verdict == "invalid"
    assert "undefined_goal:sales" in decision.reasons


def test_a_slice_that_loses_is_refused_by_name(shop: Shop, tmp_path: Path) -> None:
    table = shop.table()
    appeal, south = table["appeal"].to_numpy(), np.array(table["region"].to_pylist()) == "south"
    # in the south the challenger's column says the opposite; in the north it is as it was
    turned = np.where(south, -appeal, appeal)
    table = table.set_column(table.column_names.index("appeal"), "appeal", pa.array(turned))
    table = table.append_column("steady", pa.array(np.zeros(table.num_rows)))
    pq.write_table(table, tmp_path / "test.parquet")
    steady = shop.model("steady", ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    spec = changed(shop.spec, slices=["region"], calibration=None)
    decision = decide(
        spec, shop.model("good"), tmp_path / "test.parquet", tmp_path / "out", champion=steady
    )
    judged = {(part.value, part.goal): part.passes for part in decision.slices}
    assert judged[("north", "ctr")] is True
    assert judged[("south", "ctr")] is False
    assert "slice_may_lose:ctr in region=south" in decision.reasons


def test_latency_is_measured_and_guarded(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    slow = changed(shop.spec, max_latency_ms=1e-6)
    decision = decide(slow, shop.model("good"), shop.test_set, tmp_path, champion=vague)
    assert decision.reasons == ("latency",)
    guard = decision.guard("latency_p99_ms")
    assert guard is not None
    assert isinstance(guard.value, float)
    assert 0 < guard.value < 10_000


def test_equal_inputs_and_seed_give_equal_files(shop: Shop, tmp_path: Path) -> None:
    spec = changed(shop.spec, max_latency_ms=10_000.0, slices=["region"])
    vague = shop.model("vague", VAGUE)

    def run(out: Path, latency_ms: float) -> Decision:
        return decide(
            spec,
            shop.model("good"),
            shop.test_set,
            out,
            champion=vague,
            latencies={load_bundle(shop.model("good")).manifest.checksum: latency_ms},
        )

    first, second = run(tmp_path / "a", 1.5), run(tmp_path / "b", 1.5)
    for name in ("decision.json", "report.md", "report.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    slower = run(tmp_path / "c", 2.5)
    assert slower != first
    assert slower.fingerprint == first.fingerprint == second.fingerprint
    other = decide(
        spec.model_copy(update={"seed": 1}),
        shop.model("good"),
        shop.test_set,
        tmp_path / "d",
        vague,
    )
    assert other.fingerprint != first.fingerprint


def test_the_file_is_the_decision(shop: Shop, tmp_path: Path) -> None:
    spec = changed(shop.spec, slices=["region"])
    vague = shop.model("vague", VAGUE)
    decision = decide(
        spec, shop.model("good"), shop.test_set, tmp_path, champion=vague, champion_version="7"
    )
    assert read_decision(tmp_path / "decision.json") == decision
    content = json.loads((tmp_path / "decision.json").read_text())
    assert content["champion"]["version"] == "7"
    assert content["objective"].keys() == {"estimate", "lower", "upper", "min_gain", "passes"}
    assert content["counts"]["users"] == 400
    assert content["counts"]["events"]["click"] == int(shop.table()["click"].to_numpy().sum())


def test_rows_in_another_order_give_the_same_comparison(shop: Shop, tmp_path: Path) -> None:
    table = shop.table()
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))
    pq.write_table(shuffled, tmp_path / "shuffled.parquet")
    vague = shop.model("vague", VAGUE)
    one = decide(shop.spec, shop.model("good"), shop.test_set, tmp_path / "a", champion=vague)
    two = decide(
        shop.spec, shop.model("good"), tmp_path / "shuffled.parquet", tmp_path / "b", champion=vague
    )
    assert one.goals == two.goals
    assert one.objective == two.objective
