"""A service follows the champion; what it cannot trust it refuses, and serves on."""

import logging
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from serving.follow import Follower
from serving.ranker import Ranker
from shopguide.bundle import load_bundle
from shopguide.bundle.manifest import GRAPH
from shopguide.bundle.pointer import Pointer, bundle_folder, pointer_file, write_pointer
from shopguide.files import write_text
from shopguide.spec import Spec
from tests.bundles import rewrite
from tests.tiny import VARIABLE, tiny_bundle, tiny_spec


class Home:
    """A home in which bundles become champion."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "home"
        self.spec: Spec = tiny_spec(self.folder)
        self._made = folder / "made"
        self._made.mkdir()

    def make(self, mean: float) -> tuple[str, str]:
        """Lay a bundle into the home; return its checksum and folder."""
        made = tiny_bundle(self.spec, self._made, mean)
        checksum = load_bundle(made).manifest.checksum
        name = bundle_folder(self.spec.name, checksum)
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        made.rename(self.folder / name)
        return checksum, name

    def crown(self, version: str, checksum: str, folder: str) -> None:
        pointer = Pointer(version, checksum, folder, None, "tiny")
        write_pointer(self.folder, self.spec.name, pointer)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def swapped() -> list[Ranker]:
    return []


@pytest.fixture
def follower(home: Home, swapped: list[Ranker], tmp_path: Path) -> Follower:
    (tmp_path / "own").mkdir()
    own = load_bundle(tiny_bundle(home.spec, tmp_path / "own", 9.0))
    return Follower(own, home.folder, swapped.append)


def _swaps(what: str) -> float:
    return REGISTRY.get_sample_value("shopguide_model_swaps_total", {"what": what}) or 0.0


def test_without_a_champion_it_serves_what_it_has(
    follower: Follower, swapped: list[Ranker]
) -> None:
    assert not follower.look()
    assert swapped == []


def test_each_new_champion_takes_over_once_and_a_former_one_returns(
    follower: Follower, home: Home, swapped: list[Ranker]
) -> None:
    first, second = home.make(0.1), home.make(0.2)
    before = _swaps("swapped")
    for version, bundle in (("1", first), ("2", second), ("1", first)):
        home.crown(version, *bundle)
        assert follower.look()
        assert not follower.look()
    served = [ranker.version for ranker in swapped]
    assert [first[0][:12], second[0][:12], first[0][:12]] == [version[:12] for version in served]
    assert _swaps("swapped") - before == 3


def test_a_change_of_champion_is_told_where_the_service_logs(
    follower: Follower, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="shopguide"):  # what the service sets, and no other
        checksum, folder = home.make(0.1)
        home.crown("7", checksum, folder)
        assert follower.look()
    assert f"champion 7: serving bundle {checksum[:12]}" in caplog.text


@pytest.mark.parametrize("harm", ["changed", "missing", "another", "golden", "pointer"])
def test_a_champion_that_cannot_be_trusted_is_refused_and_mended_is_followed(
    follower: Follower,
    home: Home,
    swapped: list[Ranker],
    caplog: pytest.LogCaptureFixture,
    harm: str,
) -> None:
    checksum, folder = home.make(0.1)
    other, other_folder = home.make(0.2)
    path = home.folder / folder
    home.crown("1", checksum, folder)
    if harm == "changed":
        (path / GRAPH).write_bytes(b"\x00")
    elif harm == "missing":
        path.rename(home.folder / "away")
    elif harm == "another":
        home.crown("1", checksum, other_folder)
    elif harm == "golden":
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = pq.read_table(path / "golden.parquet")
        wrong = rows.set_column(2, "prediction_click", pa.array([0.1, 0.2]))
        pq.write_table(wrong, path / "golden.parquet")
        rewrite(path, "golden.parquet", (path / "golden.parquet").read_bytes())
        home.crown("1", load_bundle(path).manifest.checksum, folder)
    else:
        write_text(pointer_file(home.folder, home.spec.name), "{")
    before = _swaps("refused")
    with caplog.at_level(logging.ERROR):
        assert not follower.look()
    assert "refused, the old one goes on" in caplog.text
    assert _swaps("refused") - before == 1
    assert swapped == []
    home.crown("2", other, other_folder)
    assert follower.look()
    assert len(swapped) == 1


def test_a_champion_whose_store_this_service_cannot_open_is_refused(
    follower: Follower,
    home: Home,
    swapped: list[Ranker],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home.spec = tiny_spec(home.folder, redis=True)
    home.crown("1", *home.make(0.1))
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not follower.look()
    assert f"environment variable {VARIABLE}: is not set" in caplog.text
    assert "a feature store that this service cannot open" in caplog.text
    assert swapped == []


def test_a_refused_champion_is_not_read_again_at_every_look(
    follower: Follower, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    checksum, folder = home.make(0.1)
    (home.folder / folder / GRAPH).write_bytes(b"\x00")
    home.crown("1", checksum, folder)
    with caplog.at_level(logging.ERROR):
        for _ in range(61):
            assert not follower.look()
    assert len(caplog.records) == 3
