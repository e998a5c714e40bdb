"""Every command of the README exists, with the options that it names; cheap ones run."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ")
    return [line.split(" #")[0].strip() for line in text.splitlines() if line.strip()]


COMMANDS = _commands()


def _options_of(words: list[str]) -> tuple[set[str], set[str]]:
    """Return the options that a command has, and those that are asked of it."""
    if words[0] == "shopguide":
        from shopguide.cli.main import app
    else:
        from pipelines.__main__ import app
    command = typer.main.get_command(app)
    rest = words[1:] if words[0] == "shopguide" else words[3:]
    while rest and hasattr(command, "get_command"):
        found = command.get_command(None, rest[0])
        assert found is not None, f"no verb {rest[0]}"
        command, rest = found, rest[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    return known, {word for word in rest if word.startswith("--")}


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith(("shopguide", "python"))])
def test_verbs_and_options_exist(line: str) -> None:
    known, asked = _options_of(shlex.split(line))
    assert asked <= known, f"{asked - known} of {line}"


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("make")])
def test_make_targets_exist(line: str) -> None:
    target = line.split()[1]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), f"make {target}"


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("deploy/")])
def test_scripts_exist_and_know_the_step(line: str) -> None:
    script, step = line.split()
    assert re.search(rf"^{step}\(\)", (ROOT / script).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("kubectl")])
def test_the_manifests_are_built_as_it_says(line: str) -> None:
    done = subprocess.run(shlex.split(line), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "kind: Deployment" in done.stdout


@pytest.mark.parametrize(
    "line",
    [
        "make help",
        "shopguide spec check --spec specs/rees46.yaml",
        "python -m pipelines compile --check",
    ],
)
def test_cheap_commands_run_as_they_stand(line: str) -> None:
    assert line in COMMANDS
    words = shlex.split(line)
    if words[0] == "shopguide":
        words = ["python", "-c", "from shopguide.cli import main; main()", *words[1:]]
    words = [sys.executable if word == "python" else word for word in words]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_file_that_it_links_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_nothing_is_left_to_fill_in() -> None:
    assert "@@" not in README
