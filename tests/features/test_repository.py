"""What a Feast repository declares, and of which project and home a configuration is."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shopguide.errors import ShopguideError
from shopguide.features.materialize import quiet_feast, register
from shopguide.features.repository import declared_objects, is_config_of, write_config
from shopguide.features.store import open_store, view_inputs
from shopguide.features.versions import feast_view, feature_service

CornerShop = Any  # the class lives in conftest.py, which cannot be imported


def test_what_other_catalogues_registered_is_declared_too(
    corner_shop: CornerShop, tmp_path: Path
) -> None:
    champion = corner_shop.spec(tmp_path, features=corner_shop.features("user", "item"))
    challenger = corner_shop.spec(tmp_path, features=corner_shop.features("user", "promotion"))
    with quiet_feast():
        register(champion, tmp_path)
        declared = declared_objects(challenger, tmp_path)
    for spec in (champion, challenger):
        views = {f"view_{feast_view(spec, view)}" for view in view_inputs(spec)}
        assert views <= declared.keys()
        assert f"service_{feature_service(spec)}" in declared
    # sources come with their views, and Feast's own entity with Feast
    assert not any(name.startswith("source_") for name in declared)
    assert not any("dummy" in name for name in declared)


def test_another_shops_views_are_not_declared(corner_shop: CornerShop, tmp_path: Path) -> None:
    features = corner_shop.features("user")
    ours = corner_shop.spec(tmp_path, features=features)
    theirs = corner_shop.spec(tmp_path, name="rival", features=corner_shop.features("promotion"))
    with quiet_feast():
        register(theirs, tmp_path)
        declared = declared_objects(ours, tmp_path)
    assert f"view_{feast_view(theirs, 'promotion')}" not in declared


def test_a_name_that_begins_anothers_is_refused(corner_shop: CornerShop, tmp_path: Path) -> None:
    ours = corner_shop.spec(tmp_path, name="corner")
    theirs = corner_shop.spec(tmp_path)
    with quiet_feast():
        register(theirs, tmp_path)
        with pytest.raises(ShopguideError, match=r"project corner_shop.*another `name` or `home`"):
            declared_objects(ours, tmp_path)
        declared_objects(theirs, tmp_path)


def test_a_configuration_is_of_one_project_and_home(
    corner_shop: CornerShop, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    spec = corner_shop.spec(tmp_path / "home")
    own = write_config(spec, tmp_path / "home")
    assert is_config_of(own, repository, spec, tmp_path / "home")
    assert not is_config_of(own, repository, spec, tmp_path / "elsewhere")
    assert not is_config_of(own, repository, corner_shop.spec(tmp_path, name="b"), tmp_path)
    relative = repository / "feature_store.yaml"
    text = own.read_text(encoding="utf-8").replace(str(tmp_path), "..")
    relative.write_text(text, encoding="utf-8")
    assert is_config_of(relative, repository, spec, tmp_path / "home")
    relative.write_text("- nothing\n", encoding="utf-8")
    assert not is_config_of(relative, repository, spec, tmp_path / "home")


def test_catalogues_that_are_registered_at_once_are_all_there(
    corner_shop: CornerShop, tmp_path: Path
) -> None:
    views = ("user", "item", "promotion", "exposure")
    specs = [
        corner_shop.spec(tmp_path, name=f"shop_of_{view}s", features=corner_shop.features(view))
        for view in views
    ]
    with quiet_feast():
        with ThreadPoolExecutor(len(specs)) as pool:
            list(pool.map(lambda spec: register(spec, tmp_path), specs))
        for spec in specs:
            found = open_store(spec, tmp_path).list_feature_services()
            assert [service.name for service in found] == [feature_service(spec)]
