"""A shop for the serving benchmark: a bundle's catalogue, filled by Feast with drawn values."""

import random
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from shopguide.bundle import Bundle, load_bundle
from shopguide.bundle.manifest import MANIFEST, Manifest, file_checksums
from shopguide.features.materialize import quiet_feast
from shopguide.features.online_state import online_state
from shopguide.features.online_views import OnlineView, online_views
from shopguide.features.store import FOLDER, feast_objects, open_store
from shopguide.spec import Spec, dump_spec

USERS, ITEMS, PLACES = 40, 1_000, 4
CANDIDATES = 200
_BATCH = 20_000


def variant(bundle: Path, out: Path, spec: Spec) -> Bundle:
    """Copy a bundle, with another spec in it."""
    shutil.copytree(bundle, out)
    dump_spec(spec, out / "spec.yaml")
    manifest = Manifest.read(out / MANIFEST)
    manifest.model_copy(update={"checksums": file_checksums(out)}).sealed().write(out / MANIFEST)
    return load_bundle(out, threads=1)


def fill(bundle: Bundle) -> int:
    """Fill the online store of the bundle's spec; return the entities written."""
    spec, written = bundle.spec, 0
    with quiet_feast():
        store = open_store(spec, spec.home)
        entities, views, service = feast_objects(spec, spec.home)
        store.apply([*entities, *views, service])
        state = online_state(spec)
        keys = _keys(bundle)
        for view in online_views(spec):
            frame = _values(bundle, view, keys)
            for first in range(0, len(frame), _BATCH):
                store.write_to_online_store(view.stored, frame.iloc[first : first + _BATCH].copy())
            path = Path(spec.home) / FOLDER / "written" / spec.name / f"{view.stored}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.to_parquet(path)
            state.mark(view, path)
            written += len(frame)
    return written


def requests(bundle: Bundle, count: int, seed: int) -> list[dict[str, object]]:
    """Return bodies of `/rank`, 200 candidates each."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    placed = any("place_id" in view.keys for view in online_views(bundle.spec))
    items = [f"item{n}" for n in range(ITEMS)]
    return [
        {
            "user_id": f"user{draw.randrange(USERS)}",
            "items": draw.sample(items, CANDIDATES),
            "context": {"place_id": f"place{draw.randrange(PLACES)}"} if placed else {},
        }
        for _ in range(count)
    ]


def _keys(bundle: Bundle) -> dict[str, list[str]]:
    known = {
        "user_id": [f"user{n}" for n in range(USERS)],
        "item_id": [f"item{n}" for n in range(ITEMS)],
        "place_id": [f"place{n}" for n in range(PLACES)],
    }
    vocabularies = {c.name: c.vocabulary for c in bundle.preprocessing.categorical}
    attributes = {key for view in online_views(bundle.spec) for key in view.keys} - set(known)
    return known | {name: vocabularies.get(name) or ["a", "b"] for name in attributes}


def _values(bundle: Bundle, view: OnlineView, keys: dict[str, list[str]]) -> pd.DataFrame:
    """Return a row an entity, with drawn values; a twentieth is null."""
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([keys[key] for key in view.keys], names=list(view.keys))
    frame = index.to_frame(index=False)
    rows, end = len(frame), pd.Timestamp(bundle.profile.log_end)
    vocabularies = {c.name: c.vocabulary for c in bundle.preprocessing.categorical}
    for column in view.columns:
        null = rng.random(rows) < 0.05
        if column.kind == "numeric":
            frame[column.name] = np.where(null, np.nan, rng.lognormal(1.0, 1.0, rows))
        elif column.kind == "recency":
            ages = pd.to_timedelta(rng.integers(1, 90 * 86_400, rows), unit="s")
            times = (end - ages).floor("s")
            frame[column.name] = pd.Series(times).where(~null)
        else:
            words = keys.get(column.name) or vocabularies.get(column.name) or ["a", "b"]
            frame[column.name] = pd.Series(rng.choice(words, rows)).where(~null, None)
    frame["event_timestamp"] = pd.Timestamp(end - timedelta(days=1)).as_unit("us")
    return frame
