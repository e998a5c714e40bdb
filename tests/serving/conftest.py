"""A bundle that can be computed by hand, and the real service over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shopguide.bundle import Bundle, load_bundle
from tests.serving.live import Live, solved_bundle, started


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a solved bundle: two tasks, two goals, three inputs."""
    return solved_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_bundle(tiny: Path) -> Bundle:
    return load_bundle(tiny)


@pytest.fixture(scope="module")
def live(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The service from its source; the features of its model are what requests say."""
    with started(tiny, tmp_path_factory.mktemp("home")) as service:
        yield service
