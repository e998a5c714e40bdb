"""Load a bundle and score with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.bundle.calibration import Calibrators
from shopguide.bundle.fusion import read_fusion
from shopguide.bundle.golden import PREDICTION, read_golden
from shopguide.bundle.graph import alike_inputs, check_graph, open_session, run_encoded, run_graph
from shopguide.bundle.manifest import (
    CALIBRATORS,
    FUSION,
    GOLDEN,
    GRAPH,
    PREPROCESSING,
    PROFILE,
    SPEC,
    Manifest,
    TaskEntry,
)
from shopguide.bundle.preprocessing import Preprocessing
from shopguide.bundle.profile import Profile
from shopguide.bundle.verify import check_agreement, verified_manifest
from shopguide.columns import Columns, Same
from shopguide.errors import ShopguideError
from shopguide.fusion import Fusion
from shopguide.spec import Spec, load_spec

_ROUNDED = 1e-6  # what a float32 probability may exceed 1 by
_LARGEST = float(np.finfo(np.float64).max)  # what is larger is infinite


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified model bundle.

    Args:
        path: folder it was loaded from.
        fusion: how predictions become one score; None until the objective was solved.
        alike: inputs whose part the graph computes once where all rows have the same value.
    """

    path: Path
    manifest: Manifest
    spec: Spec
    preprocessing: Preprocessing
    calibrators: Calibrators
    profile: Profile
    fusion: Fusion | None
    session: onnxruntime.InferenceSession
    alike: frozenset[str]

    def predict(self, table: pa.Table) -> dict[str, NDArray[np.float64]]:
        """Return each task's calibrated expected outcome per impression, [N] by task.

        A binary task's is its probability over the entire space (a funnel multiplied out), an
        amount's is in the unit of its label.

        Args:
            table: the input columns and `shown_at`; unknown categories and nulls are fine.

        Raises:
            ShopguideError: a column is missing or of the wrong type.
        """
        return self.calibrators.apply(self.predict_raw(table), self.manifest.tasks)

    def predict_columns(self, columns: Columns) -> dict[str, NDArray[np.float64]]:
        """Return what `predict` does, of a request's columns: the same numbers, sooner.

        Args:
            columns: every input, of its kind.

        Raises:
            ShopguideError: the graph fails, or predicts what cannot be.
        """
        where = f"{self.path}/{GRAPH}"
        same = [isinstance(columns.values[name], Same) for name in self.alike]
        codes, numbers = self.preprocessing.encode(columns)
        raw = run_encoded(self.session, codes, numbers, alike=all(same), where=where)
        _require_possible(raw, self.manifest.tasks, where)
        return self.calibrators.apply(raw, self.manifest.tasks)

    def predict_raw(self, table: pa.Table) -> dict[str, NDArray[np.float64]]:
        """Return each task's expected outcome before calibration, [N] by task.

        Raises:
            ShopguideError: as of `predict`, or the graph predicts what cannot be.
        """
        where = f"{self.path}/{GRAPH}"
        raw = run_graph(self.session, self.preprocessing, table, where=where)
        _require_possible(raw, self.manifest.tasks, where)
        return raw

    def probabilities(self, table: pa.Table) -> dict[str, NDArray[np.float64]]:
        """Return the probability of each class [N, C], Σ = 1, by category task.

        The classes are those of `manifest.categories`, in that order. They are not calibrated.

        Args:
            table: as of `predict`.
        """
        raw = self.predict_raw(table)
        return {name: raw[name] for name in self.manifest.categories}

    def score(self, predictions: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the one score of each row [N], larger is better.

        Raises:
            ShopguideError: the fusion weights were not solved yet.
        """
        if self.fusion is None:
            raise ShopguideError(
                f"{self.path}/fusion.json", "there are no fusion weights", "Run `shopguide solve`"
            )
        return self.fusion.score(predictions)

    def golden(self) -> pa.Table:
        """Return the golden rows: real inputs, and `prediction_TASK` as it was at training.

        Raises:
            ShopguideError: the file is not that.
        """
        path = self.path / GOLDEN
        rows = read_golden(path, self.manifest.tasks)
        try:
            self.preprocessing.transform(rows)
        except ShopguideError as error:
            fix = "Train the bundle again with this version of shopguide"
            raise ShopguideError(f"{path}, {error.where}", error.what, fix) from None
        return rows

    def golden_difference(self) -> float:
        """Return the largest |prediction now − prediction at training| over the golden rows.

        Amounts are compared relative to 1 + their size.

        Raises:
            ShopguideError: the rows cannot be read, or predicted from.
        """
        rows = self.golden()
        largest = 0.0
        for task, now in self.predict(rows).items():
            then = rows.column(PREDICTION.format(task)).cast("float64", safe=False).to_numpy()
            apart = np.abs(now - then) / (1 + np.abs(then))
            largest = max(largest, float(np.max(np.where(np.isfinite(apart), apart, np.inf))))
        return largest


def load_bundle(path: str | Path, *, threads: int | None = None) -> Bundle:
    """Load a bundle, every file verified against the manifest.

    Args:
        path: folder of the bundle.
        threads: threads of one graph call; None leaves it to ONNX Runtime (all cores).

    Raises:
        ShopguideError: it is not a whole bundle of this format, a file was changed, or the files
            do not fit each other.
    """
    folder = Path(path)
    manifest = verified_manifest(folder)
    spec = load_spec(folder / SPEC)
    preprocessing = Preprocessing.read(folder / PREPROCESSING)
    preprocessing.check(f"{folder}/{PREPROCESSING}")
    profile = Profile.read(folder / PROFILE)
    check_agreement(manifest, spec, preprocessing, profile, folder)
    calibrators = Calibrators.read(folder / CALIBRATORS)
    calibrators.check(manifest.tasks, f"{folder}/{CALIBRATORS}")
    where = f"{folder}/{GRAPH}"
    session = open_session((folder / GRAPH).read_bytes(), threads=threads, where=where)
    check_graph(session, manifest, preprocessing, where)
    return Bundle(
        path=folder,
        manifest=manifest,
        spec=spec,
        preprocessing=preprocessing,
        calibrators=calibrators,
        profile=profile,
        fusion=read_fusion(folder / FUSION, manifest.tasks),
        session=session,
        alike=alike_inputs(session),
    )


def _require_possible(
    predictions: Mapping[str, NDArray[np.float64]], tasks: Sequence[TaskEntry], where: str
) -> None:
    for task in tasks:
        values = predictions[task.name]
        most = 1 + _ROUNDED if task.kind == "binary" else _LARGEST
        if not len(values) or (values.min() >= 0 and values.max() <= most):
            continue
        bad = ~((values >= 0) & (values <= most))
        row = int(np.argmax(bad))
        wanted = "a probability" if task.kind == "binary" else "finite and not negative"
        raise ShopguideError(
            f"{where}, task {task.name}",
            f"predicts {values[row]:g} for row {row + 1} of the table, expected {wanted} "
            f"({int(bad.sum()):,} such rows)",
            "Train it again, with a smaller training.learning_rate if the loss diverged",
        )
