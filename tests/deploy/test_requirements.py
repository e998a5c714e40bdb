"""What the images install: the tested versions, each by its hash, and all that is needed."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from shopguide.packaging.build import SERVICE_PACKAGES, STORE_PACKAGES

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "deploy" / "images"
LINE = re.compile(r"([a-z0-9.-]+)==(\S+) --hash=sha256:[0-9a-f]{64}")
TYPING_ONLY = {"ast-serialize", "librt", "mypy", "mypy-extensions", "types-greenlet"}


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _pins(image: str) -> dict[str, str]:
    found = {}
    for line in _lines(IMAGES / f"requirements-{image}.txt"):
        match = LINE.fullmatch(line)
        assert match, f"not a pin with a hash, and nothing else: {line}"
        found[canonicalize_name(match[1])] = match[2]
    return found


def _constraints() -> dict[str, str]:
    pins = (line.split("==") for line in _lines(ROOT / "constraints.txt"))
    return {canonicalize_name(name): version for name, version in pins}


def _needed(names: list[str]) -> set[str]:
    """Return all that some packages need, as installed here."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        extras = ["", *requirement.extras]
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform, or an extra that is not installed
        fresh = name not in found
        found.add(name)
        if not fresh and not requirement.extras:
            continue
        for text in installed.requires or []:
            wanted = Requirement(text)
            marker = wanted.marker
            applies = marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)
            if applies and (canonicalize_name(wanted.name) not in found or wanted.extras):
                waiting.append(wanted)
    return found


@pytest.mark.parametrize("image", ["serve", "train"])
def test_an_image_has_the_versions_that_were_tested(image: str) -> None:
    constraints = _pins("build") | _constraints()
    for name, version in _pins(image).items():
        assert constraints.get(name) == version, f"{name}: run deploy/images/lock.py"


def test_the_service_image_has_all_that_the_service_needs_and_no_training() -> None:
    pins = _pins("serve")
    stores = [name for names in STORE_PACKAGES.values() for name in names]
    missing = _needed([*SERVICE_PACKAGES, *stores]) - set(pins) - TYPING_ONLY
    assert missing == set(), "run deploy/images/lock.py"
    unwanted = {"torch", "torchjd", "mlflow", "great-expectations", "kfp", "feast", "pandas", "pip"}
    assert unwanted.isdisjoint(pins)


def test_the_training_image_has_all_that_the_project_needs() -> None:
    missing = _needed(["shopguide[redis,postgres,search,balancers]"]) - set(_pins("train"))
    assert missing - TYPING_ONLY - {"shopguide"} == set(), "run deploy/images/lock.py"


def test_no_file_names_an_index() -> None:
    for path in IMAGES.iterdir():
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert "://" not in text.replace("http://127.0.0.1", ""), path
            assert not re.search(r"--(extra-)?index-url|find-links [^d]", text), path
