"""The repository's production variant is what shopguide itself tells Feast."""

from pathlib import Path

import pytest
from feast.repo_config import load_repo_config

from shopguide.features.repository import is_config_of, write_config
from shopguide.features.store import store_config
from shopguide.spec import Spec, load_spec

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "SHOPGUIDE_ONLINE_STORE"
CONNECTION = "cache.internal:6380,db=2,password=hidden-word"


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> Spec:
    monkeypatch.setenv(VARIABLE, CONNECTION)
    chosen = [
        "features.online_store.type=redis",
        f"features.online_store.connection_env={VARIABLE}",
    ]
    return load_spec(ROOT / "specs" / "complete_journey.yaml", overrides=chosen)


def test_the_variant_is_the_specs_own_store(spec: Spec) -> None:
    folder = ROOT / "feature_repo"
    variant = folder / "feature_store.redis.yaml"
    home = ROOT / spec.home
    assert is_config_of(variant, folder, spec, home)
    loaded = load_repo_config(folder, variant)
    wanted = store_config(spec, home)["online_store"]
    assert loaded.online_store.model_dump(include=set(wanted)) == wanted


def test_no_secret_is_written_to_a_file(spec: Spec, tmp_path: Path) -> None:
    text = write_config(spec, tmp_path).read_text()
    assert "hidden-word" not in text
    assert f"${{{VARIABLE}}}" in text
