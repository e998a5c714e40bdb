"""`cd feature_repo && feast apply` registers the catalogue, as a user types it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from shopguide.features.catalogue import TIMESTAMP
from shopguide.features.repository import write_config
from shopguide.features.store import open_store, view_inputs, view_keys
from shopguide.features.versions import feast_view, feature_service
from shopguide.spec import Spec, load_spec

if TYPE_CHECKING:
    from feast import FeatureStore

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the feature repository and the specs: the registry lands beside them."""
    for folder in ("feature_repo", "specs"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def run_feast(
    checkout: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "feast", *arguments],
        cwd=checkout / "feature_repo",
        env={**os.environ, "FEAST_USAGE": "False", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def feast_apply(checkout: Path, **environment: str) -> str:
    finished = run_feast(checkout, "apply", **environment)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_apply_registers_every_view_and_the_service(checkout: Path) -> None:
    from feast import FeatureStore

    spec = load_spec(checkout / "specs" / "complete_journey.yaml")
    told = feast_apply(checkout)
    store = FeatureStore(repo_path=str(checkout / "feature_repo"))
    views = {view.name for view in store.list_feature_views()}
    assert views == {feast_view(spec, view) for view in view_keys(spec)}
    assert len(views) == 12
    for view in views:
        assert f"Created feature view {view}" in told
    [service] = store.list_feature_services()
    assert service.name == feature_service(spec)
    assert service.name.startswith("complete_journey_")
    assert {projection.name for projection in service.feature_view_projections} == views
    # what it writes lies where git ignores it
    assert {path.name for path in checkout.iterdir()} == {"feature_repo", "specs", ".shopguide"}
    assert ".shopguide/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


SPECS = sorted(path.stem for path in (ROOT / "specs").glob("*.yaml"))


@pytest.mark.slow
def test_every_spec_is_applied_in_its_own_project(checkout: Path) -> None:
    assert len(SPECS) > 2
    told = [
        feast_apply(checkout, SHOPGUIDE_SPEC=f"../specs/{name}.yaml") for name in [*SPECS, SPECS[0]]
    ]
    assert not any("Deleted" in text for text in told)
    assert "Created feature" not in told[-1]
    for name in SPECS:
        spec = load_spec(checkout / "specs" / f"{name}.yaml")
        store = open_store(spec, checkout / spec.home)
        views = {feast_view(spec, view) for view in view_keys(spec)}
        assert {view.name for view in store.list_feature_views()} == views
        assert [one.name for one in store.list_feature_services()] == [feature_service(spec)]


@pytest.mark.slow
def test_changed_windows_and_other_specs_leave_the_champions_features_as_they_are(
    checkout: Path,
) -> None:
    path = checkout / "specs" / "complete_journey.yaml"
    champion = load_spec(path)
    feast_apply(checkout)
    store = open_store(champion, checkout / champion.home)
    fill(store, champion, "user")
    path.write_text(path.read_text(encoding="utf-8").replace("52]", "26]"), encoding="utf-8")
    challenger = load_spec(path)
    assert feature_service(challenger) != feature_service(champion)
    told = [
        feast_apply(checkout, SHOPGUIDE_SPEC="../specs/rees46.yaml"),
        feast_apply(checkout),
        feast_apply(checkout),
    ]
    assert not any("Deleted" in text for text in told)
    assert f"Created feature service {feature_service(challenger)}" in told[1]
    assert "Created feature" not in told[2]
    assert "Updated feature" not in told[2]
    store.refresh_registry()
    registered = {view.name for view in store.list_feature_views()}
    for spec in (champion, challenger):
        assert {feast_view(spec, view) for view in view_keys(spec)} <= registered
    services = {one.name for one in store.list_feature_services()}
    assert services == {feature_service(champion), feature_service(challenger)}
    assert ask(store, champion, "user") == [4.0]


def test_a_configuration_of_another_spec_is_refused(checkout: Path) -> None:
    rees46 = load_spec(checkout / "specs" / "rees46.yaml")
    config = write_config(rees46, checkout / rees46.home)
    done = run_feast(checkout, "-f", str(config), "apply")
    assert done.returncode == 1
    assert "rees46.yaml: is not of the project complete_journey" in done.stderr
    assert "SHOPGUIDE_SPEC" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in config.parent.iterdir()} == {
        "rees46.yaml",
        "complete_journey.yaml",
    }


def fill(store: "FeatureStore", spec: Spec, view: str) -> None:
    """Write one user's features."""
    columns = {column.name: [4.0] for column in view_inputs(spec)[view] if column.kind == "numeric"}
    times = {
        column.name: [pd.Timestamp("2017-01-02", tz="UTC")]
        for column in view_inputs(spec)[view]
        if column.kind == "recency"
    }
    frame = pd.DataFrame(
        {"user_id": ["1"], TIMESTAMP: [pd.Timestamp("2017-01-02", tz="UTC")], **columns, **times}
    )
    store.write_to_online_store(feast_view(spec, view), frame)


def ask(store: "FeatureStore", spec: Spec, view: str) -> object:
    """Read one of that user's features."""
    name = "user_baskets_4"
    answer = store.get_online_features(
        features=[f"{feast_view(spec, view)}:{name}"], entity_rows=[{"user_id": "1"}]
    )
    return answer.to_dict()[name]
