"""A log is asked what another policy would have brought, and answers, or says why not."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from shopguide.cli.main import app
from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.evaluation.off_policy import Logged, estimate, problems
from shopguide.evaluation.off_policy.answer import Question
from shopguide.evaluation.off_policy.decisions import Decisions, read_decisions
from shopguide.evaluation.off_policy.page import (
    OFF_POLICY,
    PAGE,
    bars,
    every,
    html,
    whiskers,
    write_answer,
)
from shopguide.evaluation.off_policy.run import ask
from shopguide.logs.simulator import Shop, simulate
from shopguide.spec import Spec, check_text
from shopguide.spec.simulator import Simulator
from tests.evaluation.off_policy.test_open_bandit import read

SPEC = """
name: bandit
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view, click: click}
attribution: {match: request, window_hours: 0.01}
split:
  train: {start: 2019-11-01, end: 2019-11-10}
  valid: {start: 2019-11-11, end: 2019-11-20}
  test: {start: 2019-11-21, end: 2019-12-01}
tasks: {click: {kind: binary, event: click}}
objective: {goals: {ctr: {task: click, weight: 1}}}
"""


@pytest.fixture(scope="module")
def spec() -> Spec:
    return check_text(SPEC, where="bandit spec")


def write_log(
    folder: Path,
    columns: dict[str, np.ndarray],
    *,
    keep: tuple[str, ...] = ("position", "propensity"),
) -> Path:
    """Write a canonical log of single decisions, each of a user of its own."""
    rows = len(columns["click"])
    stamp = pa.timestamp("us", "UTC")
    shown = pa.array(
        [datetime(2019, 11, 24, tzinfo=UTC) + timedelta(seconds=i) for i in range(rows)], stamp
    )
    request = pa.array([f"r{i:06d}" for i in range(rows)])
    item = pa.array([f"i{i}" for i in columns["item_id"]])
    impressions = {
        "request_id": request,
        "user_id": request,
        "item_id": item,
        "shown_at": shown,
        "sample_weight": np.ones(rows),
    }
    if "position" in keep:
        impressions["position"] = pa.array(columns["position"] + 1, pa.int32())
    if "propensity" in keep:
        impressions["propensity"] = columns["propensity_score"]
    clicked = np.flatnonzero(columns["click"])
    end = pa.array([datetime(2019, 12, 30, tzinfo=UTC)], stamp)
    events = pa.table(
        {
            "request_id": pa.concat_arrays([request.take(clicked), pa.array([None], pa.string())]),
            "user_id": pa.concat_arrays([request.take(clicked), pa.array(["nobody"])]),
            "item_id": pa.concat_arrays([item.take(clicked), pa.array(["i0"])]),
            "kind": ["click"] * len(clicked) + ["view"],
            "at": pa.concat_arrays([shown.take(clicked), end]),
            "value": pa.nulls(len(clicked) + 1, pa.float64()),
        }
    )
    folder.mkdir(parents=True)
    pq.write_table(pa.table(impressions), folder / "impressions.parquet")
    pq.write_table(events, folder / "events.parquet")
    (folder / "log.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("obd")
    return {name: write_log(folder / name, read(name)) for name in ("random", "bts")}


@pytest.mark.shared_data
def test_the_random_policy_is_asked_of_the_samplers_log(
    logs: dict[str, Path], spec: Spec, tmp_path: Path
) -> None:
    found = ask(logs["bts"], "uniform", spec=spec, question=Question(unit="row"))
    assert found.answers
    assert f"{found.tasks['click'].estimates['ips'].value:.8f}" == "0.00235964"
    assert f"{found.tasks['click'].estimates['snips'].value:.8f}" == "0.00233371"
    assert f"{found.tasks['click'].diagnostics.ess:.3f}" == "340.378"
    for name in ("dr", "switch_dr"):
        one = found.tasks["click"].estimates[name]
        assert one.lower < 0.0038 < one.upper + one.standard_error
    write_answer(found, tmp_path)
    written = json.loads((tmp_path / OFF_POLICY).read_text())
    assert written["tasks"]["click"]["ips"]["value"] == pytest.approx(0.00235964, abs=5e-9)
    gain = written["tasks"]["click"]["gain"]
    assert gain["lower"] < 0.0038 - 0.0042 < gain["upper"]
    page = (tmp_path / PAGE).read_text()
    assert "0.002360" in page
    assert "Over what was logged: −0.00" in page
    assert "SWITCH-DR do not know their bias" in page
    assert "✓ The logs can say" in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.shared_data
def test_the_sampler_is_asked_of_the_random_log_by_its_own(
    logs: dict[str, Path], spec: Spec
) -> None:
    found = ask(logs["random"], "frequencies", spec=spec, target_log=logs["bts"])
    assert found.answers
    assert f"{found.tasks['click'].estimates['ips'].value:.8f}" == "0.00503537"
    assert f"{found.tasks['click'].estimates['snips'].value:.8f}" == "0.00525307"
    assert found.tasks["click"].diagnostics.unsupported == 0


def columns(rows: int = 400, seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        "item_id": generator.integers(0, 4, rows),
        "position": generator.integers(0, 2, rows),
        "click": (generator.random(rows) < 0.3).astype(float),
        "propensity_score": np.full(rows, 0.25),
    }


def test_without_propensities_the_answer_is_a_plain_no(spec: Spec, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", columns(), keep=("position",))
    found = ask(log, "uniform", spec=spec)
    assert not found.answers
    assert found.statement == (
        "The logs cannot say what the target policy would have brought: no probability was logged "
        "of showing what was shown (column propensity)."
    )
    assert "✗ The logs cannot say" in html(found)
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("value", [0.0, 1e-300, -0.5, 1.5])
def test_propensities_of_next_to_nothing_are_refused_by_row(
    spec: Spec, tmp_path: Path, value: float
) -> None:
    bad = columns()
    bad["propensity_score"][17] = value
    with pytest.raises(InvalidDataError, match=rf"column propensity, row 18: is {value:g}, must"):
        ask(write_log(tmp_path / "log", bad), "uniform", spec=spec)


def test_a_target_that_never_overlaps_is_a_plain_no(spec: Spec, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", columns())
    elsewhere = columns(seed=1)
    elsewhere["item_id"] += 100
    other = write_log(tmp_path / "other", elsewhere)
    found = ask(log, "frequencies", spec=spec, target_log=other)
    assert found.reasons[0].code == "no_overlap"
    assert found.reasons[0].text == "the target would have done nothing of what was logged"
    json.dumps(found.to_json(), allow_nan=False)
    html(found)


def test_positions_below_one_are_refused_by_row(spec: Spec, tmp_path: Path) -> None:
    bad = columns()
    bad["position"][4] = -1
    with pytest.raises(InvalidDataError, match=r"column position, row 5: is 0, must be a whole"):
        read_decisions(write_log(tmp_path / "log", bad), spec)


@pytest.mark.parametrize("bad", [-5.0, np.inf, np.nan])
def test_money_that_is_none_is_refused_by_row(tmp_path: Path, bad: float) -> None:
    value = np.full(6, 2.0)
    value[3] = bad
    stamp = pa.array([datetime(2024, 3, 1, tzinfo=UTC)] * 6, pa.timestamp("us", "UTC"))
    table = pa.table(
        {
            **{name: [f"{name}{i}" for i in range(6)] for name in ("request_id", "user_id")},
            "item_id": ["i"] * 6,
            "shown_at": stamp,
            "sample_weight": np.ones(6),
            "propensity": np.full(6, 0.5),
            "value": pa.array(value),
        }
    )
    pq.write_table(table, tmp_path / "week.parquet")
    money = SPEC.replace(
        "{click: {kind: binary, event: click}}", "{value: {kind: amount, event: click}}"
    )
    spec = check_text(money.replace("task: click", "task: value"), where="money spec")
    with pytest.raises(InvalidDataError, match=r"column value, row 4: is .*not negative"):
        read_decisions(tmp_path / "week.parquet", spec)


def test_users_are_the_unit_unless_rows_are(spec: Spec, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", columns())
    table = pq.read_table(log / "impressions.parquet")
    pairs = pa.array([f"u{i // 4}" for i in range(400)])
    table = table.set_column(table.column_names.index("user_id"), "user_id", pairs)
    pq.write_table(table, log / "impressions.parquet")
    by_user, by_row = (
        ask(log, "uniform", spec=spec, question=Question(unit=unit)).tasks["click"]
        for unit in ("user", "row")
    )
    assert by_user.diagnostics.units == 100
    assert by_row.diagnostics.units == 400
    assert by_user.estimates["ips"].value == by_row.estimates["ips"].value


def test_intervals_and_weights_fit_into_their_plots(spec: Spec, tmp_path: Path) -> None:
    found = ask(write_log(tmp_path / "log", columns()), "uniform", spec=spec).tasks["click"]
    plot = whiskers(every(found))
    for row in plot.rows:
        assert row.lower is not None
        assert row.value is not None
        assert row.upper is not None
        assert 0 <= row.lower < row.value < row.upper < 100
    assert sum(bar.count for bar in bars(found.diagnostics)) == 400
    assert max(bar.height for bar in bars(found.diagnostics)) == 100


def test_what_a_target_needs_is_named(spec: Spec, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", columns())
    with pytest.raises(ShopguideError, match="neither a spec nor a bundle is given"):
        ask(log, "uniform")
    with pytest.raises(ShopguideError, match="the frequencies of which log is not said"):
        ask(log, "frequencies", spec=spec)
    with pytest.raises(ShopguideError, match="a ranking needs a bundle"):
        ask(log, "ranking", spec=spec)
    without = write_log(tmp_path / "without", columns(), keep=("propensity",))
    with pytest.raises(ShopguideError, match="needs the place of every impression"):
        ask(without, "frequencies", spec=spec, target_log=log)
    with pytest.raises(ShopguideError, match="there is no list that a model could order"):
        problems.ranking(read_decisions(log, spec), np.zeros(400), {}, "x")


def decisions_of(shop: Shop) -> Decisions:
    shown, length = shop.impressions(), shop.parameters.list_length
    requests = len(shop.lists.user)
    return Decisions(
        where="simulated log",
        table=shown,
        request=np.repeat(np.arange(requests), length),
        user=np.repeat(shop.lists.user, length),
        item=shown.column("item_id"),
        position=np.tile(np.arange(1, length + 1), requests),
        propensity=shop.lists.propensity.ravel(),
        weight=np.ones(requests * length),
        outcomes={
            "click": shop.drawn.of("click").ravel().astype(float),
            "money": shop.drawn.of("money").ravel(),
        },
    )


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate(Simulator(source="simulator", users=1500, items=60, list_length=6, days=14))


@pytest.mark.parametrize("task", ["click", "money"])
def test_a_ranking_of_the_simulator_is_valued_at_its_truth(shop: Shop, task: str) -> None:
    decisions = decisions_of(shop)
    scores = shop.expected("money", examined=True)
    wanted = shop.true_value(scores, task) / shop.parameters.list_length  # type: ignore[arg-type]
    expected = {task: shop.expected(task, examined=True).ravel()}  # type: ignore[arg-type]
    problem = problems.ranking(decisions, scores.ravel(), expected, "by money")
    assert problem.model is not None
    assert decisions.propensity is not None
    logged = Logged.of(
        reward=decisions.outcomes[task], propensity=decisions.propensity,
        target=problem.target, unit=decisions.user,
    )  # fmt: skip
    found = estimate(logged, problem.model(task, logged))
    assert found.answers
    for name in ("ips", "snips", "dr"):
        one = found.estimates[name]
        assert abs(one.value - wanted) < 3.5 * one.standard_error
    # the model is the truth but for the places, which it learns; so it takes luck away
    assert found.estimates["dr"].standard_error < 0.98 * found.estimates["ips"].standard_error
    # and alone it is right
    assert found.estimates["switch_dr"].value == pytest.approx(wanted, rel=0.05)


def test_the_list_model_learns_what_places_are_worth(shop: Shop) -> None:
    decisions = decisions_of(shop)
    expected = shop.expected("click", examined=True).ravel()
    problem = problems.ranking(decisions, np.zeros(len(expected)), {"click": expected}, "any order")
    assert decisions.propensity is not None
    assert decisions.position is not None
    assert problem.model is not None
    logged = Logged.of(
        reward=decisions.outcomes["click"], propensity=decisions.propensity, target=problem.target
    )
    model = problem.model("click", logged)
    truth = shop.examined()[decisions.position - 1]
    # a place has some 4,000 clicks, so that its factor has an error of about 1.6 %
    np.testing.assert_allclose(model.logged / expected, truth, rtol=0.08)
    # equal scores: every item of the list alike
    mean = expected.reshape(-1, 6).mean(axis=1)[decisions.request]
    np.testing.assert_allclose(model.target, model.logged / expected * mean)


def test_a_row_each_and_random_order_of_lists(shop: Shop) -> None:
    problem = problems.uniform(decisions_of(shop))
    np.testing.assert_allclose(problem.target, 1 / 6)
    assert problem.model is None
    shuffled = replace(decisions_of(shop), position=None)
    with pytest.raises(ShopguideError, match="a ranking needs the place"):
        problems.uniform(shuffled)


@pytest.fixture
def verb(spec: Spec, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    (tmp_path / "spec.yaml").write_text(SPEC)
    assert spec.name == "bandit"

    def run(*arguments: str) -> tuple[int, str]:
        command = ["evaluate", "--off-policy", "--spec", str(tmp_path / "spec.yaml"), *arguments]
        done = CliRunner().invoke(app, command)
        return done.exit_code, done.output

    return run


def test_the_verb_answers_with_0_and_cannot_with_1(
    verb: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    log = write_log(tmp_path / "log", columns())
    code, printed = verb("--data", str(log), "--target", "uniform", "--out", str(tmp_path / "o"))
    assert code == 0, printed
    assert "The logs can say" in printed
    assert (tmp_path / "o" / OFF_POLICY).is_file()
    few = write_log(tmp_path / "few", columns(rows=30))
    code, printed = verb("--data", str(few), "--target", "uniform", "--json")
    assert code == 1
    parsed = json.loads(printed)
    assert parsed["reasons"][0]["code"] == "small_sample"
    assert parsed["diagnostics"]["ess"] == 30
