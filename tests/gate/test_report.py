"""The page and the Markdown say what decision.json says, need nothing else, and trust no title."""

import json
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from shutil import which

import pytest

from shopguide.gate import Decision, decide
from shopguide.gate.decision import GoalChange
from shopguide.gate.markdown import markdown, plain
from shopguide.gate.report import html
from shopguide.gate.wording import percent, verdict_sentence
from tests.gate.conftest import VAGUE, Shop
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
    spec = changed(shop.spec, slices=["region"], max_latency_ms=50.0)
    return out, decide(spec, shop.model("good"), shop.test_set, out, champion=vague)


@pytest.fixture(scope="module")
def first(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Decision]:
    out = tmp_path_factory.mktemp("first")
    return out, decide(shop.spec, shop.model("good"), shop.test_set, out)


@pytest.fixture(params=["compared", "first"])
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
