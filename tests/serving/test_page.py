"""The page in Chromium: a person tries a user and is told why."""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from serving.page import page
from shopguide.bundle import Bundle, load_bundle
from tests.serving.live import SPEC, Live, solved_bundle

pytestmark = [pytest.mark.slow, pytest.mark.service, pytest.mark.browser]


@pytest.fixture
def chrome(tmp_path: Path) -> Iterator[Chrome]:
    browser, driver = which("chromium"), which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no Chromium with its driver on this machine")
    options = Options()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


def fill(chrome: Chrome, **fields: str) -> None:
    for name, text in fields.items():
        field = chrome.find_element(By.ID, name)
        field.clear()
        field.send_keys(text)


def wait(chrome: Chrome, name: str) -> str:
    """Wait until an element is seen; return its text."""
    WebDriverWait(chrome, 20).until(lambda c: c.find_element(By.ID, name).is_displayed())
    return chrome.find_element(By.ID, name).text


def test_a_person_sees_the_ranking_the_goals_and_the_why(chrome: Chrome, live: Live) -> None:
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    address = f"http://127.0.0.1:{live.port}/"
    chrome.get(address)
    fill(chrome, user="<b>alice</b>", items="bread\n<script>alert(1)</script>\nmilk")
    chrome.find_element(By.ID, "rank").click()
    assert wait(chrome, "heading") == "3 items for user <b>alice</b>"
    rows = chrome.find_elements(By.CSS_SELECTOR, "#rows tr")
    assert len(rows) == 3
    assert "<script>alert(1)</script>" in chrome.find_element(By.ID, "rows").text
    rows[0].find_element(By.CSS_SELECTOR, "button.why").click()
    assert "scores" in wait(chrome, "why-heading")
    assert "ctr" in chrome.find_element(By.ID, "why-goals").text
    assert "occlusion" in chrome.find_element(By.ID, "method").text
    assert chrome.execute_script("return document.documentElement.scrollWidth") == 390
    assert [line for line in chrome.get_log("browser") if line["level"] == "SEVERE"] == []
    messages = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
        and message["params"]["documentURL"].startswith(address)
    }
    assert {address, f"{address}rank", f"{address}explain"} <= asked
    assert all(url.startswith((address, "data:")) for url in asked), asked


def test_a_mistake_is_told_where_it_was_made(chrome: Chrome, live: Live) -> None:
    chrome.get(f"http://127.0.0.1:{live.port}/")
    fill(chrome, user="u", items="a\na")
    chrome.find_element(By.ID, "rank").click()
    assert wait(chrome, "error").startswith("items[1]: 'a' stands more than once")
    fill(chrome, items="a")
    chrome.find_element(By.ID, "rank").click()
    wait(chrome, "heading")
    fill(chrome, weights="clicks=1")
    chrome.find_element(By.ID, "rank").click()
    WebDriverWait(chrome, 20).until(
        lambda c: c.find_element(By.ID, "error").text.startswith("weights.clicks: no such task")
    )
    assert not chrome.find_element(By.ID, "result").is_displayed(), "it answers another question"


def test_a_key_is_asked_for_only_where_the_service_does(chrome: Chrome, live: Live) -> None:
    chrome.get(f"http://127.0.0.1:{live.port}/")
    assert not chrome.find_element(By.ID, "key").is_displayed()


@pytest.mark.parametrize(("keyed", "field"), [(True, "<label>Key"), (False, "<label hidden>Key")])
def test_the_page_knows_whether_there_is_a_key(
    tiny_bundle: Bundle, keyed: bool, field: str
) -> None:
    assert field in bytes(page(tiny_bundle, keyed=keyed).body).decode()


def test_tasks_are_called_by_their_titles(tmp_path: Path) -> None:
    titled = SPEC.replace("event: click}", 'event: click, title: "opened <it>"}', 1)
    text = bytes(page(load_bundle(solved_bundle(tmp_path, titled)), keyed=False).body).decode()
    assert "&quot;click&quot;: &quot;opened &lt;it&gt;&quot;" in text


def test_the_page_may_load_and_run_nothing_but_itself(tiny_bundle: Bundle) -> None:
    response = page(tiny_bundle, keyed=False)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    text = bytes(response.body).decode()
    for word in ("http://", "https://", "@import", "url(", " src=", " onclick="):
        assert word not in text, word
    assert "{{" not in text
