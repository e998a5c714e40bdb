"""The workflows ask for little, trust nothing that moves, and call what the tests here run too."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
ALLOWED = {"contents": {"read"}, "id-token": {"write"}, "attestations": {"write"}}


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def _steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in _read(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_their_commit_and_say_their_version(path: Path) -> None:
    used = [step["uses"] for step in _steps(path) if "uses" in step]
    assert used
    for name in used:
        assert PINNED.fullmatch(name), name
    for line in path.read_text().splitlines():
        if "uses:" in line:
            assert re.search(r"# v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_has_no_right_that_it_does_not_use(path: Path) -> None:
    document = _read(path)
    assert "permissions" in document, "the default may be everything"
    for job in [document, *document["jobs"].values()]:
        for right, level in job.get("permissions", {}).items():
            assert level in ALLOWED[right], right
    for job in document["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_others_typed_reaches_no_shell_as_code(path: Path) -> None:
    for step in _steps(path):
        assert "${{" not in step.get("run", ""), step["run"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_password_and_no_host_stands_in_it(path: Path) -> None:
    text = path.read_text()
    assert "secrets." not in text, "access comes by OIDC"
    assert not re.search(r"https?://|\.(io|com|org|dev)\b", text)


def test_every_script_that_is_called_is_there_and_knows_the_step() -> None:
    script = (ROOT / "deploy/ci/service.sh").read_text()
    for path in WORKFLOWS:
        for step in _steps(path):
            for name, word in re.findall(
                r"((?:deploy|\.ci)/[\w./-]+)(?: (\w+))?", step.get("run", "")
            ):
                assert (ROOT / name).stat().st_mode & 0o100, name
                if name.endswith("service.sh"):
                    assert re.search(rf"^{word}\(\)", script, re.MULTILINE), word


def test_the_image_is_tried_before_it_is_pushed_and_pushed_before_it_is_deployed() -> None:
    text = (ROOT / ".github/workflows/deploy.yml").read_text()
    steps = re.findall(r"service\.sh (\w+)", text)
    assert steps == ["build", "smoke", "sbom", "push", "deploy"]
