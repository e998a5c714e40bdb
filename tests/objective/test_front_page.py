"""front.html is one file, holds the solution's figures, and escapes what it shows."""

import re
from pathlib import Path
from shutil import which
from xml.etree import ElementTree

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from shopguide.objective import HeldOut, Solution, write_front
from shopguide.objective.front_page import front_html
from shopguide.objective.solution import FrontPoint
from shopguide.spec.objective import Goal, Objective


def _solution(goals: int = 3, points: int = 5, fallback: str | None = None) -> Solution:
    names = [f"goal{k}" for k in range(goals)]
    front = [
        FrontPoint(
            weights={"click": p / 10, "buy": 1 - p / 10},
            goals={name: 2 + ((p * (k + 2)) % 7) / 25 for k, name in enumerate(names)},
            objective=1 + p / 100,
        )
        for p in range(points)
    ]
    return Solution(
        solver="nash",
        objective=Objective(
            goals={n: Goal(task="click", weight=1 / goals, title=f"<b>{n}</b>") for n in names},
            solver="nash",
        ),
        reference="equal weights",
        reference_goals=dict.fromkeys(names, 2.0),
        champion=None,
        front=front,
        chosen=3,
        hypervolume=1.25,
        evaluated=77,
        fallback=fallback,
    )


@pytest.mark.parametrize(("goals", "panels"), [(1, 0), (2, 1), (3, 3), (4, 6)])
def test_every_pair_of_goals_has_a_panel_with_every_point(goals: int, panels: int) -> None:
    page = front_html(_solution(goals))
    plots = re.findall(r"<svg viewBox=\"-22.*?</svg>", page, re.DOTALL)
    assert len(plots) == panels
    for plot in plots:
        tree = ElementTree.fromstring(plot)  # noqa: S314 - our own page
        circles = tree.findall("circle")
        assert len(circles) == 5
        for circle in circles:
            assert 0 <= float(circle.attrib["cx"]) <= 100
            assert 0 <= float(circle.attrib["cy"]) <= 100


def test_larger_values_lie_further_right_and_up() -> None:
    solution = _solution(2)
    tree = ElementTree.fromstring(  # noqa: S314 - our own page
        re.findall(r"<svg viewBox=\"-22.*?</svg>", front_html(solution), re.DOTALL)[0]
    )
    places = [(float(c.attrib["cx"]), -float(c.attrib["cy"])) for c in tree.findall("circle")]
    for axis, goal in enumerate(("goal0", "goal1")):
        by_place = sorted(range(5), key=lambda p, axis=axis: places[p][axis])
        by_value = sorted(range(5), key=lambda p, goal=goal: solution.front[p].goals[goal])
        assert by_place == by_value


def test_the_page_stands_alone_and_escapes(tmp_path: Path) -> None:
    write_front(_solution(fallback="<script>alert(1)</script>"), tmp_path / "front.html")
    page = (tmp_path / "front.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<b>goal0</b>" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "://" not in page


def test_the_figures_are_those_of_the_solution() -> None:
    solution = _solution()
    later = HeldOut(
        objective=1.01,
        goals={"goal0": 1.0, "goal1": 1.0, "goal2": None},
        changes={"goal0": 0.0123, "goal1": -0.02, "goal2": None},
        optimism=0.02,
        goal_optimism={"goal0": 0.0877, "goal1": 0.1, "goal2": None},
    )
    page = front_html(solution, later)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "nash chose point 3, of 5 on the front: J 1.0300 on validation" in text
    assert "dominates 1.250 times the volume" in text
    # goal0 of point 3: 2 + ((3 · 2) mod 7) / 25 = 2.24 over 2
    assert "+12.00 % +1.23 % +8.77 %" in text
    assert "J − 1 +3.00 % +1.00 % +2.00 %" in text
    assert "– –" in text
    assert "on test" not in front_html(solution)


@pytest.mark.browser
def test_chromium_fits_the_page_on_a_phone_and_asks_for_nothing(tmp_path: Path) -> None:
    browser, driver = which("chromium"), which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no Chromium with its driver on this machine")
    page = tmp_path / "front.html"
    write_front(_solution(points=200), page)
    options = ChromeOptions()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=Service(driver))
    try:
        screen = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        chrome.get(page.as_uri())
        assert chrome.get_log("browser") == []
        assert chrome.execute_script("return document.documentElement.scrollWidth") == 390
        drawn = "return document.querySelectorAll('figure svg circle').length"
        assert chrome.execute_script(drawn) == 3 * 200
        asked = "return performance.getEntriesByType('resource').map(entry => entry.name)"
        assert all(url.startswith("data:") for url in chrome.execute_script(asked))
    finally:
        chrome.quit()
