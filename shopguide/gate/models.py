"""The two bundles of a comparison: loaded, described, and asked for scores."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.bundle import Bundle, load_bundle
from shopguide.bundle.choice import read_choice
from shopguide.errors import ShopguideError
from shopguide.gate.decision import ModelEntry, Period
from shopguide.logs.splits import instants
from shopguide.objective.solution import read_solution
from shopguide.spec import Spec

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """A bundle's predictions on the test set.

    Args:
        predictions: expected outcome by task [N].
        scores: the fused score of each row [N].
    """

    predictions: dict[str, Array]
    scores: Array


def open_challenger(path: str | Path, spec: Spec) -> Bundle:
    """Load the bundle to judge.

    Raises:
        ShopguideError: it is not a whole bundle, has no fusion weights, or predicts other tasks
            than the spec.
    """
    bundle = open_bundle(path)
    found = [task.name for task in bundle.manifest.tasks]
    if found != list(spec.quantities()):
        raise ShopguideError(
            f"{path}/bundle.json tasks",
            f"the bundle predicts {', '.join(found)}; the spec has {', '.join(spec.quantities())}",
            "Judge it with the spec that it was trained with, or train it again",
        )
    return bundle


def open_champion(path: str | Path | None) -> Bundle | None:
    """Load the bundle in production; None where there is none yet.

    Args:
        path: None or an empty directory says that there is none.

    Raises:
        ShopguideError: the directory is neither empty nor a whole bundle with fusion weights.
    """
    if path is None or (Path(path).is_dir() and not any(Path(path).iterdir())):
        return None
    return open_bundle(path)


def open_bundle(path: str | Path) -> Bundle:
    """Load a bundle for judging: on one thread, for the same bits whatever the machine's cores.

    Raises:
        ShopguideError: it is not a whole bundle, or has no fusion weights.
    """
    bundle = load_bundle(path, threads=1)
    if bundle.fusion is None:
        raise ShopguideError(
            f"{path}/fusion.json", "there are no fusion weights", "Run `shopguide solve`"
        )
    return bundle


def input_columns(*bundles: Bundle | None) -> list[str]:
    """Return the columns that the bundles read."""
    return [entry.name for bundle in bundles if bundle for entry in bundle.manifest.inputs]


def missing_inputs(bundle: Bundle, table: pa.Table) -> list[str]:
    """Return the inputs of a bundle that a table lacks."""
    return [name for name in input_columns(bundle) if name not in table.column_names]


def score(bundle: Bundle, table: pa.Table) -> Scored:
    """Return a bundle's predictions and scores of each row.

    Raises:
        ShopguideError: a prediction is not finite.
    """
    predictions = bundle.predict(table)
    return Scored(predictions, bundle.score(predictions))


def entry(bundle: Bundle, version: str | None) -> ModelEntry:
    """Return what the decision says about a bundle.

    Args:
        bundle: with fusion weights.
        version: its version in the registry; None: the bundle's own.

    Raises:
        ShopguideError: its record of the training counts no candidates.
    """
    assert bundle.fusion is not None, "checked when it was opened"
    return ModelEntry(
        version=version or bundle.manifest.version,
        checksum=bundle.manifest.checksum,
        feature_service=bundle.manifest.feature_service,
        tasks=tuple(task.name for task in bundle.manifest.tasks),
        fusion=dict(bundle.fusion.weights),
        chosen_from=read_choice(bundle.path).candidates,
    )


def golden_difference(bundle: Bundle) -> float | None:
    """Return how far a bundle's golden rows are from what they were; None if nobody can say."""
    apart = bundle.golden_difference() if bundle.golden().num_rows else math.inf
    return apart if math.isfinite(apart) else None


def learnt_from(bundle: Bundle) -> Period:
    """Return the period of all that a bundle learnt from: training, calibration and λ.

    What was recorded when it was trained and solved counts beside what its spec says.
    """
    trained = bundle.manifest.train_period
    starts = [_utc(trained.start)]
    ends = [_utc(trained.end), instants(bundle.spec.split)["valid"][1].astimezone(UTC)]
    solution = read_solution(Path(bundle.path))
    if solution is not None and solution.solved_on is not None:
        starts.append(_utc(solution.solved_on.start))
        last = _utc(solution.solved_on.end).replace(microsecond=0)
        ends.append(last + timedelta(seconds=1))  # half-open, and to the second
    return Period(iso(min(starts)), iso(max(ends)))


def iso(at: datetime) -> str:
    """Return an instant as ISO 8601 in UTC, to the second; a time without a zone is UTC."""
    return _utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
