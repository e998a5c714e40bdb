"""What the service reads itself is what Feast's own SDK reads, in every store that Feast fills."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from shopguide.errors import ShopguideError
from shopguide.features import OnlineFeatures, materialize_features, materialize_online
from shopguide.features import online as reader
from shopguide.features.layout import entity_keys
from shopguide.features.materialize import quiet_feast
from shopguide.features.online_store import connection_of
from shopguide.features.online_views import online_views
from shopguide.features.redis_reader import connect
from shopguide.features.store import open_store
from shopguide.spec import Spec
from tests.servers import PostgresServer, RedisServer, open_to_all

Shop = Any  # the classes live in conftest.py, which cannot be imported
CornerShop = Any

VARIABLE = "CORNER_SHOP_ONLINE"
USERS = ["u1", "u4", "nobody ☃", "u8"]
ITEMS = ["i5", "i0", "nothing", "i3", "i6", "i1", "没有"]

pytestmark = [
    pytest.mark.service,
    # Feast never closes its connection to PostgreSQL, and psycopg says so when it is collected
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.thaw()
    server.kill()


def on_server(spec: Spec, kind: str, variable: str) -> Spec:
    store = spec.features.online_store.model_copy(update={"type": kind, "connection_env": variable})
    features = spec.features.model_copy(update={"online_store": store})
    return spec.model_copy(update={"features": features})


@pytest.fixture(scope="module")
def filled(
    corner_shop: CornerShop,
    shop: Shop,
    redis: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Spec]:
    """A shop whose features are in Redis, written by Feast."""
    home = tmp_path_factory.mktemp("redis_home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(VARIABLE, redis.connection)
        spec = on_server(corner_shop.spec(home), "redis", VARIABLE)
        materialize_features(spec, shop.log, home / "training_set")
        materialize_online(spec)
        yield spec


@pytest.fixture(scope="module")
def in_postgres(
    corner_shop: CornerShop, shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Spec]:
    """A shop whose features are in PostgreSQL, written by Feast."""
    server = PostgresServer(open_to_all(tmp_path_factory.mktemp("postgres")) / "server")
    home = tmp_path_factory.mktemp("postgres_home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CORNER_SHOP_DATABASE", server.url)
        spec = on_server(corner_shop.spec(home), "postgres", "CORNER_SHOP_DATABASE")
        materialize_features(spec, shop.log, home / "training_set")
        materialize_online(spec)
        yield spec
    server.stop()


@pytest.fixture(params=["sqlite", "redis", "postgres"])
def spec(request: pytest.FixtureRequest, shop: Shop) -> Spec:
    if request.param == "sqlite":
        found: Spec = shop.spec
    else:
        found = request.getfixturevalue("filled" if request.param == "redis" else "in_postgres")
    return found


def by_feast(spec: Spec, user: str, place: str) -> dict[str, list[Any]]:
    """Read through Feast's SDK, item by item; null where it finds nothing."""
    values: dict[str, list[Any]] = {}
    with quiet_feast():
        store = open_store(spec, spec.home)
        entities: list[dict[str, str]] = [
            {"user_id": user, "item_id": item, "place_id": place} for item in ITEMS
        ]
        for view in sorted(online_views(spec), key=lambda one: "category" in one.keys):
            response = store.get_online_features(
                features=[f"{view.stored}:{column.name}" for column in view.columns],
                entity_rows=[{key: row[key] for key in view.keys} for row in entities],
            ).to_dict()
            for column in view.columns:
                values[column.name] = [_plain(found) for found in response[column.name]]
            if "category" in values:
                for row, category in zip(entities, values["category"], strict=True):
                    row["category"] = category or ""
    return values


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return value


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("place", ["p1", "p9"])
def test_the_service_reads_what_feasts_sdk_reads(spec: Spec, user: str, place: str) -> None:
    served = OnlineFeatures(spec, spec.home)
    expected = by_feast(spec, user, place)
    for _ in range(2):  # the first reads the store, the second what was kept
        found = served.read(user, ITEMS, {"place_id": place})
        for name, values in expected.items():
            if name in found.column_names:
                assert found.column(name).to_pylist() == values, name


def test_something_is_known_and_something_is_not(spec: Spec) -> None:
    found = OnlineFeatures(spec, spec.home).read("u1", ITEMS, {"place_id": "p1"})
    for name in ("category", "stock", "item_spend_2", "user_category_spend_3", "user_last"):
        assert found.column(name).null_count < len(ITEMS), name
    assert found.column("category").null_count >= 2


def test_keys_are_feasts_own() -> None:
    from feast.infra.key_encoding_utils import serialize_entity_key
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    names = ["user_id", "category"]
    for values in (["u1", "tea"], ["", "☃ 没有"], ["x" * 300, "y"]):
        key = EntityKey(join_keys=names, entity_values=[Value(string_val=v) for v in values])
        assert entity_keys(names, [values]) == [serialize_entity_key(key, 3)]


def test_a_redis_that_was_emptied_is_an_error_until_it_is_filled_again(
    filled: Spec, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_TRUST_SECONDS", 0.0)
    served = OnlineFeatures(filled, filled.home)
    before = served.read("u1", ITEMS, {"place_id": "p1"})
    redis.kill()
    redis.start()
    with pytest.raises(ShopguideError, match=r"Redis of CORNER_SHOP_ONLINE: holds nothing"):
        served.read("u1", ITEMS, {"place_id": "p1"})
    written = materialize_online(filled)
    assert all(done.lost for done in written.values())
    assert served.read("u1", ITEMS, {"place_id": "p1"}).equals(before)
    assert not any(done.entities for done in materialize_online(filled).values())


def test_a_postgres_that_was_emptied_is_an_error_until_it_is_filled_again(
    in_postgres: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    import psycopg

    monkeypatch.setattr(reader, "_TRUST_SECONDS", 0.0)
    assert not any(done.entities for done in materialize_online(in_postgres).values())
    served = OnlineFeatures(in_postgres, in_postgres.home)
    before = served.read("u1", ITEMS, {"place_id": "p1"})
    (view,) = [one for one in online_views(in_postgres) if one.keys == ("user_id", "category")]
    with psycopg.connect(os.environ["CORNER_SHOP_DATABASE"]) as connection:
        connection.execute(f'DELETE FROM "{view.table}"')  # noqa: S608
    with pytest.raises(ShopguideError, match=r"PostgreSQL of CORNER_SHOP_DATABASE: holds nothing"):
        served.read("u1", ITEMS, {"place_id": "p1"})
    assert sum(done.lost > 0 for done in materialize_online(in_postgres).values()) == 1
    assert served.read("u1", ITEMS, {"place_id": "p1"}).equals(before)
    served.close()


def test_an_error_among_the_answers_is_raised_and_no_later_read_gets_them(filled: Spec) -> None:
    from redis.exceptions import ResponseError

    client = connect(*reversed(connection_of(filled)), timeout=5)
    before = OnlineFeatures(filled, filled.home).read("u1", ITEMS, {"place_id": "p0"})
    key = entity_keys(["item_id"], [[ITEMS[1]]])[0] + filled.name.encode()
    stored = client.hgetall(key)
    client.delete(key)
    client.set(key, "no hash")
    served = OnlineFeatures(filled, filled.home)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        served.read("u1", ITEMS, {"place_id": "p0"})
    client.delete(key)
    client.hset(key, mapping=stored)
    assert served.read("u1", ITEMS, {"place_id": "p0"}).equals(before)
    client.close()


def test_a_frozen_redis_is_given_up_in_time(filled: Spec, redis: RedisServer) -> None:
    from redis.exceptions import TimeoutError as Late

    served = OnlineFeatures(filled, filled.home)
    served.read("u1", ["i1"], {})
    redis.freeze()
    try:
        with pytest.raises(Late):
            served.read("u3", ["i2"], {})
    finally:
        redis.thaw()
    assert served.read("u3", ["i2"], {}).num_rows == 1


def test_without_its_variable_a_store_says_which_it_needs(
    filled: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ShopguideError, match=f"variable {VARIABLE}: is not set"):
        OnlineFeatures(filled, filled.home)
    monkeypatch.setenv(VARIABLE, "password=secret")
    with pytest.raises(ShopguideError, match="no address of one Redis server") as caught:
        OnlineFeatures(filled, filled.home)
    assert "secret" not in str(caught.value)


def test_the_age_of_the_features_is_known(spec: Spec) -> None:
    served = OnlineFeatures(spec, spec.home)
    assert served.age_seconds() is None
    served.check()
    age = served.age_seconds()
    assert age is not None
    assert 0 <= age < 3600
