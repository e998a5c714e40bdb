"""A bundle is measured on a split; the page and the JSON say the same."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from shutil import which

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from shopguide.bundle import Calibrators, Platt, load_bundle, write_bundle
from shopguide.cli import evaluate as verb
from shopguide.cli.main import app
from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.evaluation.measure import evaluate_bundle
from shopguide.evaluation.page import EVALUATION, PAGE, html, write_evaluation
from shopguide.evaluation.result import Evaluation
from shopguide.spec import check_text
from tests.gate.conftest import BIAS, SPEC, TRUTH, Shop, contents, planted
from tests.training_sets import sealed


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("measured")
    (folder / "training_set").mkdir()
    for split, seed in (("train", 2), ("test", 1)):
        pq.write_table(planted(seed, users=60), folder / "training_set" / f"{split}.parquet")
    spec = check_text(SPEC, where="planted spec")
    sealed(folder / "training_set", spec)
    return Shop(folder, spec)


@pytest.fixture(scope="module")
def bundle(shop: Shop) -> Path:
    return shop.model("champion", TRUTH)


@pytest.fixture(scope="module")
def found(shop: Shop, bundle: Path) -> Evaluation:
    return evaluate_bundle(bundle, shop.test_set, slices=["region"], k=4)


def test_the_metrics_are_of_what_the_bundle_predicts(
    found: Evaluation, shop: Shop, bundle: Path
) -> None:
    table = shop.table()
    predicted = load_bundle(bundle).predict(table)["click"]
    expected = roc_auc_score(table.column("click").to_numpy(), predicted)
    assert found.tasks["click"].metrics["auc"] == pytest.approx(expected)
    assert (found.rows, found.requests, found.users) == (2400, 240, 60)
    assert [part.value for part in found.slices] == ["north", "south"]


def test_lists_are_ranked_by_the_score_and_by_each_task(found: Evaluation) -> None:
    assert [ranking.by for ranking in found.rankings] == [
        "score", "click", "purchase", "order_value",
    ]  # fmt: skip
    assert list(found.rankings[0].tasks) == ["click", "purchase", "order_value"]
    assert list(found.rankings[1].tasks) == ["click"]
    # its own prediction finds a task's outcomes at least about as well as the mixed score
    own, mixed = (found.rankings[i].tasks["click"].ndcg for i in (1, 0))
    assert own > mixed - 0.01
    shown = found.rankings[0].catalogue
    assert shown.items == 50
    # 50 items, each shown by some of 240 lists of 4 places; popularity is about even: log2 50
    assert shown.coverage == pytest.approx(1, abs=0.01)
    assert shown.novelty == pytest.approx(np.log2(50), abs=0.2)


def test_a_slice_of_users_has_the_lists_of_those_users(
    shop: Shop, bundle: Path, tmp_path: Path
) -> None:
    table = shop.table()
    weight = pa.array([1.0 + int(name[1:]) % 7 for name in table.column("request_id").to_pylist()])
    table = table.set_column(table.column_names.index("sample_weight"), "sample_weight", weight)
    pq.write_table(table, tmp_path / "all.parquet")
    here = table.filter(pc.equal(table.column("region"), "south"))
    pq.write_table(here, tmp_path / "south.parquet")
    everywhere = evaluate_bundle(bundle, tmp_path / "all.parquet", slices=["region"])
    alone = evaluate_bundle(bundle, tmp_path / "south.parquet", slices=[])
    part = next(part for part in everywhere.slices if part.value == "south")
    for whole, cut in zip(alone.rankings, part.rankings, strict=True):
        assert cut.tasks == whole.tasks
        assert cut.catalogue.coverage == pytest.approx(whole.catalogue.coverage)
        assert cut.catalogue.exposure_gini == pytest.approx(whole.catalogue.exposure_gini)
    assert part.ndcg("click") == alone.rankings[0].tasks["click"].ndcg


def test_a_slice_of_items_cuts_its_lists_down(
    found: Evaluation, shop: Shop, bundle: Path, tmp_path: Path
) -> None:
    table = shop.table()
    odd = pa.array([int(name[1:]) % 2 for name in table.column("item_id").to_pylist()])
    pq.write_table(table.append_column("odd", odd), tmp_path / "test.parquet")
    parts = evaluate_bundle(bundle, tmp_path / "test.parquet", slices=["odd"]).slices
    assert sum(part.rows for part in parts) == found.rows
    assert [part.rankings[0].catalogue.items for part in parts] == [25, 25]


def test_novelty_is_of_what_was_liked_in_training(shop: Shop, bundle: Path, tmp_path: Path) -> None:
    table, train = shop.table(), planted(3, users=20)
    first = pa.array([f"i{i % 3}" for i in range(train.num_rows)])  # three of the fifty items
    train = train.set_column(train.column_names.index("item_id"), "item_id", first)
    pq.write_table(table, tmp_path / "test.parquet")
    pq.write_table(train, tmp_path / "train.parquet")
    sealed(tmp_path, shop.spec)
    found = evaluate_bundle(bundle, tmp_path, k=10)  # the whole list: every row is shown
    liked = np.array(train.column("item_id").to_pylist())[train.column("click").to_numpy() == 1]
    count = {f"i{i}": 1 + np.sum(liked == f"i{i}") for i in range(50)}
    shown = [count[name] / sum(count.values()) for name in table.column("item_id").to_pylist()]
    assert found.rankings[0].catalogue.novelty == pytest.approx(-np.log2(shown).mean())


def test_without_training_rows_there_is_no_novelty(
    shop: Shop, bundle: Path, tmp_path: Path
) -> None:
    pq.write_table(shop.table(), tmp_path / "week.parquet")
    alone = evaluate_bundle(bundle, tmp_path / "week.parquet")
    assert np.isnan(alone.rankings[0].catalogue.novelty)
    assert alone.split == "week"
    assert alone.k == 3  # of the spec's discount
    json.dumps(alone.to_json(), allow_nan=False)


def test_the_page_shows_the_figures_of_the_json(found: Evaluation, tmp_path: Path) -> None:
    write_evaluation(found, tmp_path / "out")
    page = (tmp_path / "out" / PAGE).read_text()
    written = json.loads((tmp_path / "out" / EVALUATION).read_text())
    for task in written["tasks"].values():
        for name, value in task["metrics"].items():
            if value is None:  # every basket of this shop is worth the same
                assert task["reasons"][name] == "the rows that paid are too few or all alike"
                continue
            shown = f"{value:.4f}".replace("-", "−")
            assert f">{shown}<" in page, name
    assert page.count("<circle") == sum(
        len(task["reliability"]["predicted"]) for task in written["tasks"].values()
    )
    assert page.count('<rect class="observed"') == 10 + 1  # parts and the key
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page


def test_a_name_that_is_html_is_shown_as_text(found: Evaluation) -> None:
    assert "&lt;b&gt;bold" in html(replace(found, title="<b>bold"))


def test_what_a_calibrator_did_is_shown(shop: Shop, tmp_path: Path) -> None:
    sure = Calibrators(tasks={"click": Platt(slope=1.0, intercept=1.0)})
    table = shop.table()
    parts = replace(contents(shop.spec, TRUTH, BIAS, 0, table), calibrators=sure)
    write_bundle(tmp_path / "bundle", parts)
    found = evaluate_bundle(tmp_path / "bundle", shop.test_set)
    before, label = found.uncalibrated["click"], table.column("click").to_numpy()
    raw = load_bundle(tmp_path / "bundle").predict_raw(table)["click"]
    assert list(found.uncalibrated) == ["click"]
    assert before.calibrator == "platt"
    assert before.pcoc == pytest.approx(raw.sum() / label.sum())
    assert found.tasks["click"].metrics["pcoc"] > before.pcoc + 0.3
    assert found.to_json()["uncalibrated"]["click"]["ece"] < 0.05  # type: ignore[index]
    page = html(found)
    assert "clicks: dotted before its calibrator (platt)" in page
    assert page.count('class="former"') == 1


def test_one_class_is_measured_and_drawn(shop: Shop, bundle: Path, tmp_path: Path) -> None:
    table = shop.table()
    for name in ("click", "purchase", "order_value"):
        none = pa.array(np.zeros(table.num_rows))
        table = table.set_column(table.column_names.index(name), name, none)
    pq.write_table(table, tmp_path / "test.parquet")
    sealed(tmp_path, shop.spec)
    found = evaluate_bundle(bundle, tmp_path, slices=["region"])
    page = html(found)
    assert "AUC is not defined, no outcome is 1" in page
    assert found.rankings[0].tasks["click"].judged == 0
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_chromium_draws_the_page_and_nothing_hangs_over(
    found: Evaluation, tmp_path: Path, width: int
) -> None:
    browser = which("chromium") or which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium")
    write_evaluation(found, tmp_path)
    probe = (
        (tmp_path / PAGE)
        .read_text()
        .replace("<meta http-equiv", "<meta hidden http-equiv-off")
        .replace(
            "</main>",
            "</main><script>document.title='wide '+document.documentElement.scrollWidth</script>",
        )
    )
    (tmp_path / "probe.html").write_text(probe)
    shown = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},2000",
         "--dump-dom", f"file://{tmp_path}/probe.html"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    wide = re.search(r"<title>wide (\d+)", shown.stdout)
    assert wide
    assert int(wide[1]) <= max(width, 500)  # headless Chromium's window is 500 wide at least


def test_the_verb_prints_tables_and_json(shop: Shop, bundle: Path, tmp_path: Path) -> None:
    run = CliRunner()
    arguments = ["evaluate", "--bundle", str(bundle), "--training-set", str(shop.test_set)]
    shown = run.invoke(app, [*arguments, "--slices", "region", "--out", str(tmp_path / "o")])
    assert shown.exit_code == 0, shown.output
    assert "region = north" in shown.output
    assert (tmp_path / "o" / EVALUATION).is_file()
    printed = run.invoke(app, [*arguments, "--json"])
    parsed = json.loads(printed.output)
    assert parsed["tasks"]["click"]["metrics"]["auc"] > 0.6
    assert verb.evaluate.__doc__


def test_what_is_missing_is_named(shop: Shop, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match=r"valid\.parquet: there is no such file"):
        evaluate_bundle(bundle, shop.test_set, split="valid")
    with pytest.raises(ShopguideError, match="lacks the columns colour"):
        evaluate_bundle(bundle, shop.test_set, slices=["colour"])
    (tmp_path / "test.parquet").write_text("no parquet")
    with pytest.raises(ShopguideError, match="is not a readable Parquet file"):
        evaluate_bundle(bundle, tmp_path / "test.parquet")
    table = shop.table()
    users = pa.array([None, *table.column("user_id").to_pylist()[1:]])
    broken = table.set_column(table.column_names.index("user_id"), "user_id", users)
    pq.write_table(broken, tmp_path / "test.parquet")
    with pytest.raises(ShopguideError, match="column user_id, row 1: is empty"):
        evaluate_bundle(bundle, tmp_path / "test.parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "test.parquet")
    with pytest.raises(InvalidDataError, match="holds no impression"):
        evaluate_bundle(bundle, tmp_path / "test.parquet")
