"""Spark, really running, makes the training set that DuckDB makes."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shopguide.errors import ShopguideError
from shopguide.features import materialize_features
from shopguide.features.spark import spark_backend

CornerShop = Any  # the classes live in conftest.py, which cannot be imported
Shop = Any


@pytest.mark.slow
@pytest.mark.service
@pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java, which Spark needs")
def test_the_training_set_is_the_same(corner_shop: CornerShop, shop: Shop, tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    features = corner_shop.document["features"] | {"engine": "spark"}
    spec = corner_shop.spec(tmp_path / "home", features=features)
    summary = materialize_features(spec, shop.log, tmp_path / "training_set")
    assert summary == shop.summary
    for split in ("train", "valid", "test"):
        found = pq.read_table(tmp_path / "training_set" / f"{split}.parquet")
        assert found.equals(pq.read_table(shop.training_set / f"{split}.parquet")), split


def test_spark_that_cannot_start_is_an_error_of_the_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    message = r"features\.engine: Spark does not start"
    with pytest.raises(ShopguideError, match=message) as caught, spark_backend():
        pass
    assert caught.value.exit_code == 2
