"""Where the workers of one service count for `/metrics`: a folder that no other service empties."""

import atexit
import shutil
import tempfile
from collections.abc import MutableMapping, Sequence
from pathlib import PurePath

OURS = "SHOPGUIDE_METRICS_DIR"
"""The folder, handed from `bentoml serve` to its workers."""

THEIRS = "PROMETHEUS_MULTIPROC_DIR"
"""What prometheus_client reads. BentoML's own is one for all services of a Bento store, and each of
them empties it when it starts, under the hands of those that run."""


def count_apart(environment: MutableMapping[str, str], arguments: Sequence[str]) -> None:
    """Let this service count in a folder of its own.

    BentoML imports the service twice: in `bentoml serve`, which makes the folder and removes it at
    its end, and in each worker, which takes it over before a metric is made.

    Args:
        environment: of this process; changed.
        arguments: of this process, its name first.
    """
    if "--worker-id" in arguments:
        folder = environment.get(OURS)
        if folder is not None:
            environment[THEIRS] = folder
    elif _serves(arguments):
        environment[OURS] = tempfile.mkdtemp(prefix="shopguide-metrics-")
        atexit.register(shutil.rmtree, environment[OURS], ignore_errors=True)


def _serves(arguments: Sequence[str]) -> bool:
    """Whether this process is `bentoml serve`, by whatever path it was called."""
    called = PurePath(arguments[0]).parts[-2:] if arguments else ()
    return any(part.startswith("bentoml") for part in called) and "serve" in arguments[1:]
