"""The same views on Spark: a local session, or the cluster that the environment names.

Ibis' expressions are those of DuckDB. Spark writes a folder of files; DuckDB makes one of them,
with the types and the compression that Feast's sources have, whichever engine computed it.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from shopguide.errors import ShopguideError
from shopguide.logs._duckdb import connect, quote

_PARTITIONS = 8  # of a shuffle on one machine; Spark's own 200 are for clusters


@contextmanager
def spark_backend() -> Iterator[Any]:
    """Yield an Ibis connection to Spark, its session in UTC; the session ends with it.

    Raises:
        ShopguideError: pyspark, or the Java that it needs, is not installed.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.appName("shopguide features")
        if "SPARK_MASTER" not in os.environ and "MASTER" not in os.environ:
            builder = builder.master("local[*]")
        settings = {
            "spark.sql.session.timeZone": "UTC",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": str(_PARTITIONS),
            "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        }
        for name, value in settings.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
    except Exception as error:
        raise ShopguideError(
            "spec features.engine",
            f"Spark does not start: {str(error).splitlines()[0][:200]}",
            "Install shopguide[spark] and a Java 17, or choose engine: local",
        ) from error
    try:
        yield ibis.pyspark.connect(session)
    finally:
        session.stop()


def write_by_spark(backend: Any, expression: ir.Table, target: Path) -> None:  # noqa: ANN401 - no stubs
    """Compute an expression on Spark and write it as one Parquet file."""
    from pyspark.sql import SparkSession

    with tempfile.TemporaryDirectory(prefix="shopguide-spark-") as folder:
        parts = Path(folder) / "parts"
        view = backend.create_view("shopguide_snapshots", expression, overwrite=True)
        session = SparkSession.getActiveSession()
        assert session is not None, "there is one while `spark_backend` lasts"
        session.table(view.get_name()).write.parquet(str(parts))
        with connect() as connection:
            connection.execute(
                f"COPY (FROM read_parquet({quote(str(parts / '*.parquet'))})) "
                f"TO {quote(str(target))} (FORMAT parquet, COMPRESSION zstd)"
            )
