"""`cd feature_repo && feast apply` registers the catalogue, as a user types it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shopguide.features.store import view_keys
from shopguide.features.versions import feast_view, feature_service
from shopguide.spec import load_spec

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the feature repository and the specs: the registry lands beside them."""
    for folder in ("feature_repo", "specs"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def feast_apply(checkout: Path, **environment: str) -> str:
    finished = subprocess.run(
        [Path(sys.executable).parent / "feast", "apply"],
        cwd=checkout / "feature_repo",
        env={**os.environ, "FEAST_USAGE": "False", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
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


def test_another_spec_is_named_by_an_environment_variable(checkout: Path) -> None:
    from feast import FeatureStore

    rees46 = checkout / "specs" / "rees46.yaml"
    feast_apply(checkout, SHOPGUIDE_SPEC=str(rees46))
    store = FeatureStore(repo_path=str(checkout / "feature_repo"))
    spec = load_spec(rees46)
    views = {feast_view(spec, view) for view in view_keys(spec)}
    assert {view.name for view in store.list_feature_views()} == views
    assert [service.name for service in store.list_feature_services()] == [feature_service(spec)]
