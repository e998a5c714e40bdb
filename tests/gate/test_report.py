"""The page and the Markdown say what decision.json says, need nothing else, and trust no title."""

import json
import math
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from shutil import which

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from shopguide.bundle import load_bundle
from shopguide.gate import Decision, Ledger, Look, PastDecision, SpendingTerms, decide
from shopguide.gate.decision import GoalChange
from shopguide.gate.front_chart import front_plots
from shopguide.gate.markdown import markdown, plain
from shopguide.gate.report import html
from shopguide.gate.trade_off import thinned
from shopguide.gate.wording import percent, verdict_sentence
from shopguide.spec.gate import AlphaSpending
from tests.gate.conftest import VAGUE, Shop, solution
from tests.gate.test_decide import changed

EVIL = '<script>alert(1)</script> | `x` **b** "q" [l](javascript:a)'


class Page(HTMLParser):
    """Collects the figures, the tags and every attribute that could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.figures: list[tuple[str, str, str]] = []  # path, exact value, what is shown
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._open: tuple[str, str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.links += [named[n] for n in ("src", "href", "xlink:href", "srcset") if n in named]
        if tag == "data":
            self._open = (named["data-path"], named["value"])

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open is not None:
            self.figures.append((*self._open, data))
            self._open = None


@pytest.fixture(scope="module")
def compared(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Decision]:
    out = tmp_path_factory.mktemp("compared")
    vague = shop.model("vague", VAGUE)
    spec = changed(shop.spec, slices=["region"], max_latency_ms=10_000.0)
    return out, decide(spec, shop.model("good"), shop.test_set, out, champion=vague)


@pytest.fixture(scope="module")
def first(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Decision]:
    out = tmp_path_factory.mktemp("first")
    return out, decide(shop.spec, shop.model("good"), shop.test_set, out)


LEDGER_AT = "2024-04-0{}T04:00:00Z"


def known(champion: Path) -> Ledger:
    """Return what a registry would tell of a champion that saw two nights."""
    checksum = load_bundle(champion).manifest.checksum
    at, terms = LEDGER_AT.format, SpendingTerms("bonferroni", 30, 0.05)
    looks = tuple(
        Look(checksum, (f"{n}" * 64,), "a" * 64, 0.05 / 30, run=f"r{n}", at=at(n), spending=terms)
        for n in (1, 2)
    )
    return Ledger(
        looks,
        (
            PastDecision(at(3), "failed", None, None, None, ("the data is invalid",)),
            PastDecision(at(2), "refused", None, 0.004, -0.01, ("gain_not_shown",)),
            PastDecision(at(1), "rollback", "1", None, None, ("the page was empty",)),
            PastDecision(at(1), "promoted", "2", 0.041, 0.012, ()),
            PastDecision(at(1), "invalid", None, 0.63, 0.57, ("too_few_users",), "popularity"),
        ),
    )


@pytest.fixture(scope="module")
def rich(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Decision]:
    """A decision with all that a report can have."""
    out = tmp_path_factory.mktemp("rich")
    vague = shop.model("vague", VAGUE)
    spending = AlphaSpending(function="bonferroni", horizon=30)
    spec = changed(
        shop.spec,
        slices=["region"],
        slice_margin=0.1,
        max_latency_ms=10_000.0,
        alpha_spending=spending,
    )
    candidates = [
        shop.model("solved", champion=vague),
        shop.model("alike", VAGUE, seed=12),
        shop.model("greedy", fusion={"order_value": 1.0}),
    ]
    decided = decide(
        spec, candidates, shop.test_set, out, champion=vague, ledger=known(vague), tried=4
    )
    return out, decided


@pytest.fixture(params=["compared", "first", "rich"])
def written(request: pytest.FixtureRequest) -> tuple[Path, Decision]:
    found: tuple[Path, Decision] = request.getfixturevalue(request.param)
    return found


def test_every_figure_on_the_page_is_that_of_the_decision(written: tuple[Path, Decision]) -> None:
    out, _ = written
    content = json.loads((out / "decision.json").read_text())
    page = Page((out / "report.html").read_text())
    assert len(page.figures) > 30
    for path, value, shown in page.figures:
        found = content
        for key in path.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]
        assert str(found) == value, path
        if isinstance(found, float) and shown.endswith("%"):
            assert float(shown[:-1].replace("−", "-")) / 100 == pytest.approx(found, abs=5e-5)
        elif isinstance(found, int | float) and "<" not in shown:
            number = float(shown.replace("−", "-").replace(",", ""))
            assert number == pytest.approx(found, rel=1e-3, abs=5e-4)


@pytest.mark.parametrize("name", ["objective", "goals.ctr", "goals.sales"])
def test_the_page_shows_each_interval(compared: tuple[Path, Decision], name: str) -> None:
    page = Page((compared[0] / "report.html").read_text())
    paths = {path for path, _, _ in page.figures}
    estimate = "estimate" if name == "objective" else "change"
    assert {f"{name}.{key}" for key in (estimate, "lower", "upper")} <= paths


def test_the_page_loads_nothing_and_runs_nothing(written: tuple[Path, Decision]) -> None:
    text = (written[0] / "report.html").read_text()
    page = Page(text)
    assert page.links == ["data:,"]
    assert "script" not in page.tags
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    assert "default-src 'none'" in text


def test_every_picture_is_described(written: tuple[Path, Decision]) -> None:
    text = (written[0] / "report.html").read_text()
    pictures = re.findall(r'<svg[^>]*role="img"[^>]*>', text)
    assert len(pictures) >= 6  # J and two goals, three tasks
    assert all(re.search(r'aria-label="[^"]{20,}"', picture) for picture in pictures)
    decoration = re.findall(r"<svg(?![^>]*role=)[^>]*>", text)
    assert all("aria-hidden" in tag or 'class="at"' in tag for tag in decoration)


def test_the_verdict_is_one_sentence_with_its_number(
    compared: tuple[Path, Decision], first: tuple[Path, Decision]
) -> None:
    decision = compared[1]
    assert decision.objective is not None
    assert percent(decision.objective.lower) in verdict_sentence(decision)
    assert "popularity" in verdict_sentence(first[1])
    for out, found in (compared, first):
        assert verdict_sentence(found) in Page((out / "report.html").read_text()).text


def test_the_verdict_says_which_of_several_it_is_about(
    shop: Shop, rich: tuple[Path, Decision], tmp_path: Path
) -> None:
    best = rich[1].challenger.version
    assert f"The challenger {best}, the best of 3, improves" in verdict_sentence(rich[1])
    alike = [shop.model(f"alike{seed}", VAGUE, seed=seed) for seed in (21, 22)]
    refused = decide(shop.spec, alike, shop.test_set, tmp_path, champion=shop.model("vague", VAGUE))
    sentence = verdict_sentence(refused)
    version = refused.challenger.version
    assert sentence.startswith(
        f"None of the 2 challengers is promoted. Against the best, {version}: the gain in J"
    )


def test_a_refusal_says_why(shop: Shop, tmp_path: Path) -> None:
    champion = shop.model("clicks", fusion={"click": 1.0})
    greedy = shop.model("greedy", fusion={"order_value": 1.0})
    decide(shop.spec, greedy, shop.test_set, tmp_path, champion=champion)
    why = "a loss of click rate beyond its margin cannot be ruled out"
    assert why in Page((tmp_path / "report.html").read_text()).text
    assert why in (tmp_path / "report.md").read_text()


def test_titles_are_text_and_nothing_else(compared: tuple[Path, Decision]) -> None:
    decision = compared[1]
    goals: dict[str, GoalChange] = {
        name: replace(goal, title=EVIL) for name, goal in decision.goals.items()
    }
    tasks = {name: replace(task, title=EVIL, unit=EVIL) for name, task in decision.tasks.items()}
    slices = tuple(replace(part, value=EVIL, column=EVIL) for part in decision.slices)
    evil = replace(
        decision,
        title=EVIL,
        notes=(EVIL,),
        warnings=(EVIL,),
        because=(EVIL,),
        reasons=("gain_not_shown",),
        verdict="refuse",
        goals=goals,
        tasks=tasks,
        slices=slices,
    )
    page = Page(html(evil))
    assert "script" not in page.tags
    assert page.links == ["data:,"]
    assert EVIL in page.text
    summary = markdown(evil)
    assert "<script" not in summary
    tables = [t for t in summary.split("\n\n") if t.startswith("|")]
    assert len(tables) == 4
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


def test_markdown_shows_titles_as_they_are() -> None:
    assert plain("a|b\n<i>*x*_y_") == r"a\|b &lt;i&gt;\*x\*\_y\_"


def test_the_markdown_has_the_objective_and_every_goal(compared: tuple[Path, Decision]) -> None:
    out, decision = compared
    text = (out / "report.md").read_text()
    assert decision.objective is not None
    assert percent(decision.objective.lower) in text
    for goal in decision.goals.values():
        row = next(line for line in text.splitlines() if line.startswith(f"| {goal.title}"))
        assert percent(goal.change) in row
        assert percent(goal.lower) in row
    for note in (*decision.notes, *decision.warnings):
        assert plain(note) in text


def test_an_older_decision_is_replaced_and_other_files_stay(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    (tmp_path / "decision.json").write_text("old")
    decide(shop.spec, shop.model("good"), shop.test_set, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep"
    assert json.loads((tmp_path / "decision.json").read_text())["verdict"] == "promote"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_page_shows_what_else_there_is_to_know(rich: tuple[Path, Decision]) -> None:
    out, decision = rich
    page = Page((out / "report.html").read_text())
    paths = {path for path, _, _ in page.figures}
    chosen = decision.trade_off.chosen if decision.trade_off else -1
    assert paths >= {
        "tried",
        "spending.alpha",
        "ledger.looks.1.alpha",
        "ledger.history.3.gain",
        "optimism.difference",
        f"trade_off.front.{chosen}.ctr",
        *(f"candidates.{n}.objective.lower" for n in range(3)),
    }
    for words in (
        "4 were compared on this test period, 3 of them here",
        "this is run 3",
        "↩ rolled back",
        "⚠ no fair comparison",
        "against popularity",
        "the data is invalid",
    ):
        assert words in page.text
    summary = (out / "report.md").read_text()
    for words in ("4 were compared", "this is run 3", "an optimism of", "✗ refused"):
        assert words in summary


def test_the_optimism_is_validation_less_test(rich: tuple[Path, Decision]) -> None:
    decision = rich[1]
    assert decision.optimism is not None
    assert decision.objective is not None
    assert decision.trade_off is not None
    assert decision.optimism.validation == decision.trade_off.objective
    assert decision.optimism.test == pytest.approx(1 + decision.objective.estimate)
    expected = decision.trade_off.objective - 1 - decision.objective.estimate
    assert decision.optimism.difference == pytest.approx(expected)


def test_no_optimism_is_told_against_another_champion(shop: Shop, tmp_path: Path) -> None:
    solved = shop.model("solved", champion=shop.model("vague", VAGUE))
    other = shop.model("other_champion", VAGUE, seed=77)
    decision = decide(shop.spec, solved, shop.test_set, tmp_path, champion=other)
    assert decision.trade_off is not None
    assert decision.optimism is None
    marks = front_plots(decision)[0].marks
    assert [mark.kind for mark in marks] == ["champion", "chosen"]


def test_the_front_is_drawn_where_it_is(rich: tuple[Path, Decision]) -> None:
    (plot,) = front_plots(rich[1])
    assert plot.line
    assert plot.titles == ("click rate", "sales")
    marks = {mark.kind: mark for mark in plot.marks}
    assert marks["champion"].change == (0, 0)
    half = math.sqrt(0.5)
    assert marks["chosen"].change == pytest.approx((0.15 * half, 0.25 * half))
    x, y = marks["chosen"].at
    assert (x, y) == (plot.scales[0].at(0.15 * half), 100 - plot.scales[1].at(0.25 * half))
    assert (x, y) in plot.front
    xs = [x for x, _ in plot.front]
    assert xs == sorted(xs)
    goals = rich[1].goals
    assert marks["challenger"].change == (goals["ctr"].change, goals["sales"].change)


def test_a_long_front_is_thinned_and_keeps_its_choice(shop: Shop) -> None:
    champion = shop.model("vague", VAGUE)
    short = solution(shop.spec, champion)
    many = [short.front[0]] * 999 + [short.front[10]] + [short.front[20]] * 500
    long = short.model_copy(update={"front": many, "chosen": 999})
    kept, chosen = thinned(long)
    assert len(kept) <= 401
    assert kept[chosen] == 999


@pytest.mark.browser
def test_chromium_fits_the_page_on_a_phone_and_asks_for_nothing(
    rich: tuple[Path, Decision], tmp_path: Path
) -> None:
    browser, driver = which("chromium"), which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no Chromium with its driver on this machine")
    options = Options()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options=options, service=Service(driver))
    page = rich[0] / "report.html"
    try:
        screen = {"width": 390, "height": 844, "deviceScaleFactor": 3, "mobile": True}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        chrome.get(page.as_uri())
        assert chrome.get_log("browser") == []
        assert chrome.execute_script("return document.documentElement.scrollWidth") == 390
        messages = [
            json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")
        ]
        asked = {
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
            and message["params"]["documentURL"] == page.as_uri()  # not the browser's own tab
        }
        assert page.as_uri() in asked
        assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
        drawn = Page(chrome.page_source)
        assert drawn.figures == Page(page.read_text()).figures
    finally:
        chrome.quit()


@pytest.mark.browser
def test_chromium_draws_the_page_without_a_complaint(
    compared: tuple[Path, Decision], tmp_path: Path
) -> None:
    browser = which("chromium") or which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    page = compared[0] / "report.html"
    ran = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in ran.stderr
    drawn = Page(ran.stdout)
    assert drawn.figures == Page(page.read_text()).figures
