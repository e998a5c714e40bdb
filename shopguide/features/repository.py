"""A Feast repository for one spec among others: what `feast apply` may see, and where it applies.

`feast apply` makes a project hold what its repository declares, and deletes the rest with its
online tables. The repository here is of one spec at a time, while a project also has views of
other catalogues of that spec, the champion's among them. So it declares these as well.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from shopguide.errors import ShopguideError
from shopguide.features.store import (
    FOLDER,
    feast_objects,
    offline_folder,
    open_store,
    store_config,
)
from shopguide.files import write_text
from shopguide.spec import Spec

if TYPE_CHECKING:
    from feast import FeatureStore

_DUMMY = "__dummy"  # Feast's own entity, which it declares itself


def declared_objects(spec: Spec, home: str | Path) -> dict[str, object]:
    """Return all that a repository must declare: the spec's catalogue, and what is there already.

    Args:
        spec: checked spec; reads `name` and `features`.
        home: the spec's home; its registry is read.

    Returns:
        Feast objects, by names for the module that declares them.

    Raises:
        ShopguideError: applying would take another shop's tables for its own.
    """
    offline_folder(spec, home).mkdir(parents=True, exist_ok=True)  # Feast does not make it
    entities, views, service = feast_objects(spec, home)
    store = open_store(spec, home)
    _refuse_shared_prefix(store, spec)
    declared = _registered(store)
    declared |= {f"entity_{entity.name}": entity for entity in entities}
    declared |= {f"view_{view.name}": view for view in views}
    declared[f"service_{service.name}"] = service
    return _without_repeated_sources(declared)


def write_config(spec: Spec, home: str | Path) -> Path:
    """Write the feature_store.yaml of a spec's own project and home; return its path."""
    path = Path(home).resolve() / FOLDER / f"{spec.name}.yaml"
    head = f"# Feast's configuration for the spec {spec.name}; written by shopguide.\n"
    config = store_config(spec, home, secrets=False)
    write_text(path, head + yaml.safe_dump(config, sort_keys=False))
    return path


def is_config_of(path: Path, repository: Path, spec: Spec, home: Path) -> bool:
    """Say whether a feature_store.yaml is of the spec's project and home.

    Args:
        path: of the YAML file.
        repository: folder to which paths in it are relative.
        spec: checked spec; reads `name`.
        home: the spec's home.
    """
    found = yaml.safe_load(os.path.expandvars(path.read_text(encoding="utf-8")))
    wanted = store_config(spec, home)
    return isinstance(found, dict) and _place(found, repository) == _place(wanted, repository)


def _place(config: Mapping[str, Any], folder: Path) -> tuple[object, Path, Path]:
    """Return the project, the registry and the online store that a configuration names."""
    registry, online = config.get("registry"), config.get("online_store")
    registry = registry.get("path") if isinstance(registry, dict) else registry
    online = online.get("path") if isinstance(online, dict) else online
    return (
        config.get("project"),
        (folder / str(registry)).resolve(),
        (folder / str(online)).resolve(),
    )


def _registered(store: "FeatureStore") -> dict[str, object]:
    """Return what the project has, by the names that `declared_objects` gives."""
    registry, project = store.registry, store.project
    lists = {
        "source": registry.list_data_sources(project),
        "entity": [e for e in registry.list_entities(project) if e.name != _DUMMY],
        "view": registry.list_feature_views(project),
        "stream_view": registry.list_stream_feature_views(project),
        "on_demand_view": registry.list_on_demand_feature_views(project),
        "label_view": registry.list_label_views(project),
        "service": registry.list_feature_services(project),
        "permission": registry.list_permissions(project),
    }
    return {f"{kind}_{one.name}": one for kind, found in lists.items() for one in found}


def _without_repeated_sources(declared: Mapping[str, object]) -> dict[str, object]:
    """Leave out sources that come with their views: Feast refuses two of one name."""
    with_views = {
        source.name
        for one in declared.values()
        for source in (getattr(one, kind, None) for kind in ("batch_source", "stream_source"))
        if source is not None
    }
    return {
        name: one
        for name, one in declared.items()
        if not (name.startswith("source_") and getattr(one, "name", None) in with_views)
    }


def _refuse_shared_prefix(store: "FeatureStore", spec: Spec) -> None:
    """Feast tells projects' tables by their prefix: applying `shop` drops those of `shop_eu`."""
    for project in store.registry.list_projects():
        if project.name.startswith(f"{spec.name}_"):
            raise ShopguideError(
                f"spec {spec.name}",
                f"its home also has the project {project.name}, whose tables `feast apply` "
                f"would drop: their names begin with {spec.name}_",
                "Give one of the two specs another `name` or `home`; nothing was changed",
            )
