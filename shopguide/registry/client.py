"""The MLflow client of a spec: quiet, with its experiment and model made on first use."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from shopguide.errors import ShopguideError
from shopguide.spec import Spec

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
FORMER = "former_champion"
"""Aliases: the version that serves, and the one that it replaced."""


def registry_uri(spec: Spec) -> str:
    """Return the tracking URI: the spec's own, or sqlite in its home."""
    if spec.registry.uri is not None:
        return spec.registry.uri
    return f"sqlite:///{_sqlite(spec)}"


def registry_exists(spec: Spec) -> bool:
    """Tell whether there may be something to read: who only asks makes no registry."""
    return spec.registry.uri is not None or _sqlite(spec).exists()


def _sqlite(spec: Spec) -> Path:
    return Path(spec.home).resolve() / "mlflow.db"


def open_client(spec: Spec) -> "MlflowClient":
    """Open the registry; the sqlite one is made on first use.

    Args:
        spec: reads `registry`, `home` and `name`.

    Raises:
        ShopguideError: the registry cannot be reached.
    """
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # read when it is imported
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # its own 7 take minutes
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    uri = registry_uri(spec)
    try:
        Path(spec.home).mkdir(parents=True, exist_ok=True)
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        if not client.search_registered_models(f"name = '{spec.name}'"):
            client.create_registered_model(spec.name)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        shown = _without_secret(uri)
        raise ShopguideError(
            f"registry {shown}",
            f"cannot be used: {str(error).splitlines()[0].replace(uri, shown)}",
            "Check registry.uri, and that the server runs",
        ) from None
    return client


def experiment(client: "MlflowClient", spec: Spec) -> str:
    """Return the id of the experiment that holds the spec's runs; made on first use."""
    found = client.get_experiment_by_name(spec.name)
    if found is not None:
        return str(found.experiment_id)
    location = None
    if spec.registry.uri is None:
        location = (Path(spec.home).resolve() / "mlartifacts").as_uri()
    return str(client.create_experiment(spec.name, artifact_location=location))


@contextmanager
def exclusive(spec: Spec) -> Iterator[None]:
    """Hold the registry's lock: setting an MLflow alias compares nothing, so writers take turns.

    The lock is a file in the spec's home: writers that share a registry must share it.
    """
    home = Path(spec.home)
    home.mkdir(parents=True, exist_ok=True)
    with (home / "registry.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _without_secret(uri: str) -> str:
    """Leave out user and password: the message may end in a log."""
    scheme, separator, rest = uri.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
