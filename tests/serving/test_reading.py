"""A request is read from the store, or from defaults where that fails; the answer says which."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from serving.reading import Inputs, RequestReader
from serving.rows import BadRequestError
from serving.schemas import RankRequest
from shopguide.bundle import Bundle, load_bundle
from shopguide.columns import Values
from tests.tiny import tiny_bundle, tiny_spec

REQUEST = RankRequest(user_id="u1", items=["i1", "i2", "i3"])


class Store:
    """A store that fails, or is old, when it is told to."""

    def __init__(self) -> None:
        self.broken = False
        self.age: float | None = 60.0
        self.reads = 0

    def columns(
        self, user_id: str, item_ids: Sequence[str], context: Mapping[str, str | float]
    ) -> dict[str, Values]:
        del user_id, context
        self.reads += 1
        if self.broken:
            raise TimeoutError
        return {"price": np.array([float(item[1:]) for item in item_ids])}

    def age_seconds(self) -> float | None:
        return self.age


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    spec = tiny_spec(tmp_path)
    reading = spec.serving.reading.model_copy(
        update={"breaker_failures": 3, "breaker_seconds": 0.2, "max_age_hours": 24.0}
    )
    serving = spec.serving.model_copy(update={"reading": reading})
    return load_bundle(tiny_bundle(spec.model_copy(update={"serving": serving}), tmp_path, 1.0))


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def reader(bundle: Bundle, store: Store) -> RequestReader:
    return RequestReader(bundle, store)


def prices(found: Inputs) -> list[float | None]:
    return found.table().column("price").to_pylist()


def _degraded(reason: str) -> float:
    return REGISTRY.get_sample_value("shopguide_degraded_total", {"reason": reason}) or 0.0


def test_what_the_store_knows_is_scored(reader: RequestReader) -> None:
    found = reader.read(REQUEST)
    assert prices(found) == [1.0, 2.0, 3.0]
    assert not found.degraded


def test_values_of_the_request_replace_the_stores(reader: RequestReader) -> None:
    body = REQUEST.model_copy(update={"features": {"i2": {"price": 7}, "i3": {"price": None}}})
    assert prices(reader.read(body)) == [1.0, 7.0, None]
    body = REQUEST.model_copy(update={"context": {"price": 5}})
    assert prices(reader.read(body)) == [5.0, 5.0, 5.0]
    with pytest.raises(BadRequestError, match=r"features\.i1\.price: is the text"):
        reader.read(REQUEST.model_copy(update={"features": {"i1": {"price": "much"}}}))


def test_a_failing_store_is_left_alone_and_asked_again_later(
    reader: RequestReader, store: Store
) -> None:
    store.broken = True
    failed, left_alone = _degraded("failed"), _degraded("circuit_open")
    for _ in range(10):
        found = reader.read(REQUEST)
        assert found.degraded
        assert found.table().num_rows == 3
    assert store.reads == 3
    assert _degraded("failed") - failed == 3
    assert _degraded("circuit_open") - left_alone == 7
    store.broken = False
    time.sleep(0.3)
    found = reader.read(REQUEST)
    assert not found.degraded
    assert prices(found) == [1.0, 2.0, 3.0]


def test_old_features_are_used_and_said_to_be_old(reader: RequestReader, store: Store) -> None:
    store.age = 25 * 3600.0
    before = _degraded("stale")
    found = reader.read(REQUEST)
    assert found.degraded
    assert prices(found) == [1.0, 2.0, 3.0]
    assert _degraded("stale") - before == 1
    store.age = 23 * 3600.0
    assert not reader.read(REQUEST).degraded


def test_without_a_store_every_answer_is_degraded(bundle: Bundle) -> None:
    found = RequestReader(bundle, None).read(REQUEST)
    assert found.degraded
    assert found.table().column("price").null_count == 3
