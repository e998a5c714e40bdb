"""Training sets that a test has written itself."""

from pathlib import Path

from shopguide.features.training_set import seal
from shopguide.spec import Spec


def sealed(folder: Path, spec: Spec) -> Path:
    """Say that the Parquet files in a folder are a whole training set with the spec's inputs."""
    seal(folder, spec, {"log_end": "2024-04-01T00:00:00+00:00"})
    return folder
