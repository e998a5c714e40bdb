"""The catalogue as Feast objects: entities, feature views, the feature service, and the store."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shopguide.features.catalogue import (
    ITEM_VIEW,
    TIMESTAMP,
    USER_VIEW,
    ModelInput,
    key_attributes,
    model_inputs,
)
from shopguide.features.versions import feast_view, feature_service
from shopguide.spec import Spec

if TYPE_CHECKING:
    from feast import Entity, FeatureService, FeatureStore, FeatureView

FOLDER = "feature_store"
"""Folder of the embedded store below the spec's `home`."""


def offline_folder(spec: Spec, home: str | Path) -> Path:
    """Return the folder of a shop's offline Parquet files, one a view.

    Shops that share a home may define a view alike: each has a folder of its own.
    """
    return Path(home) / FOLDER / "offline" / spec.name


def offline_file(spec: Spec, home: str | Path, view: str) -> Path:
    """Return the Parquet file of a view's snapshots."""
    return offline_folder(spec, home).resolve() / f"{feast_view(spec, view)}.parquet"


def online_file(home: str | Path) -> Path:
    """Return the file of the embedded online store."""
    return Path(home).resolve() / FOLDER / "online.db"


def online_table(spec: Spec, view: str) -> str:
    """Return the table of the embedded online store in which Feast keeps a view."""
    return f"{spec.name}_{feast_view(spec, view)}"


def view_keys(spec: Spec) -> dict[str, list[str]]:
    """Return the keys of every feature view that the spec has, static ones first."""
    static = {
        USER_VIEW: (["user_id"], spec.features.user_attributes),
        ITEM_VIEW: (["item_id"], _served_item_attributes(spec)),
    }
    return {name: keys for name, (keys, attributes) in static.items() if attributes} | {
        name: list(view.keys) for name, view in spec.features.views.items()
    }


def view_inputs(spec: Spec) -> dict[str, list[ModelInput]]:
    """Return the columns of every feature view; key attributes that are no inputs come too."""
    columns: dict[str, list[ModelInput]] = {name: [] for name in view_keys(spec)}
    for column in model_inputs(spec):
        if column.view is not None:
            columns[column.view].append(column)
    for name in _served_item_attributes(spec):
        if name not in spec.features.item_attributes:
            doc = f"attribute of the item, key of a view: {name}"
            columns[ITEM_VIEW].append(ModelInput(name, "categorical", ITEM_VIEW, doc))
    return columns


def feast_objects(
    spec: Spec, home: str | Path
) -> tuple[Sequence["Entity"], Sequence["FeatureView"], "FeatureService"]:
    """Build what `feast apply` registers.

    Args:
        spec: checked spec; reads `name` and `features`.
        home: the spec's home; file sources point below it, from any working directory.
    """
    from feast import Entity, FeatureService, FeatureView, FileSource, ValueType

    keys = view_keys(spec)
    names = dict.fromkeys(key for view in keys.values() for key in view)
    entities = {
        name: Entity(name=name, join_keys=[name], value_type=ValueType.STRING) for name in names
    }
    views = []
    for name, columns in view_inputs(spec).items():
        versioned = feast_view(spec, name)
        source = FileSource(
            name=f"{versioned}_snapshots",
            path=str(offline_file(spec, home, name)),
            timestamp_field=TIMESTAMP,
        )
        views.append(
            FeatureView(
                name=versioned,
                entities=[entities[key] for key in keys[name]],
                schema=_fields(keys[name], columns),
                source=source,
                online=True,
                tags={"spec": spec.name, "view": name},
            )
        )
    service = FeatureService(name=feature_service(spec), features=views)
    return list(entities.values()), views, service


def store_config(spec: Spec, home: str | Path, *, secrets: bool = True) -> dict[str, Any]:
    """Return what a feature_store.yaml says of the spec's store, with absolute paths.

    Args:
        spec: reads `name`, which is Feast's project, and `features.online_store`.
        home: the spec's home.
        secrets: write connections themselves; else the variables that Feast replaces by them.
    """
    from shopguide.features.online_store import feast_online_store  # it imports this module

    return {
        "project": spec.name,
        "provider": "local",
        "registry": str(Path(home).resolve() / FOLDER / "registry.db"),
        "offline_store": {"type": "duckdb"},
        "online_store": feast_online_store(spec, home, secrets=secrets),
        "entity_key_serialization_version": 3,
    }


def open_store(spec: Spec, home: str | Path) -> "FeatureStore":
    """Open the embedded Feast store of a home: duckdb offline, sqlite online, file registry.

    Args:
        spec: reads `name`, which is Feast's project.
        home: the spec's home.
    """
    from feast import FeatureStore, RepoConfig

    folder = Path(home).resolve() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return FeatureStore(config=RepoConfig(repo_path=folder, **store_config(spec, home)))


def _served_item_attributes(spec: Spec) -> list[str]:
    wanted = [*spec.features.item_attributes, *key_attributes(spec.features)]
    return list(dict.fromkeys(wanted))


def _fields(keys: Sequence[str], columns: Sequence[ModelInput]) -> list[object]:
    from feast import Field
    from feast.types import Array, Float64, String, UnixTimestamp

    types = {
        "categorical": String,
        "numeric": Float64,
        "recency": UnixTimestamp,
        "sequence": Array(String),
    }
    return [Field(name=key, dtype=String) for key in keys] + [
        Field(name=column.name, dtype=types[column.kind], description=column.doc)
        for column in columns
    ]
