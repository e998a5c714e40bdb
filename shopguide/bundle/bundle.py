"""Load a bundle and score with it."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.bundle.calibration import Calibrators
from shopguide.bundle.document import Document
from shopguide.bundle.manifest import (
    FORMAT,
    FUSION,
    MANIFEST,
    Manifest,
    file_checksums,
    overall_checksum,
)
from shopguide.bundle.preprocessing import Preprocessing
from shopguide.bundle.profile import Profile
from shopguide.errors import ShopguideError
from shopguide.fusion import Fusion
from shopguide.spec import Spec, load_spec

PREDICTION = "prediction_{}"
"""Column of the golden rows with a task's expected prediction."""

_CHUNK = 8_192  # rows a graph call: bounds memory by this, not by the table
_RETRAIN = "Copy the bundle again from where it was written, or train it again"


class FusionDocument(Document):
    """`fusion.json`."""

    form: str
    weights: dict[str, float]
    means: dict[str, float]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified model bundle.

    Args:
        path: folder it was loaded from.
        fusion: how predictions become one score; None until the objective was solved.
    """

    path: Path
    manifest: Manifest
    spec: Spec
    preprocessing: Preprocessing
    calibrators: Calibrators
    profile: Profile
    fusion: Fusion | None
    session: onnxruntime.InferenceSession

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

    def predict_raw(self, table: pa.Table) -> dict[str, NDArray[np.float64]]:
        """Return each task's expected outcome before calibration, [N] by task."""
        return run_graph(self.session, self.preprocessing, table)

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
        """Return the golden rows: real inputs, and `prediction_TASK` as it was at training."""
        return pq.read_table(self.path / "golden.parquet")

    def golden_difference(self) -> float:
        """Return the largest |prediction now − prediction at training| over the golden rows.

        Amounts are compared relative to 1 + their size.
        """
        rows = self.golden()
        largest = 0.0
        for task, now in self.predict(rows).items():
            then = rows.column(PREDICTION.format(task)).to_numpy()
            apart = np.abs(now - then) / (1 + np.abs(then))
            largest = max(largest, float(np.max(np.where(np.isfinite(apart), apart, np.inf))))
        return largest


def load_bundle(path: str | Path, *, threads: int | None = None) -> Bundle:
    """Load a bundle, every file verified against the manifest.

    Args:
        path: folder of the bundle.
        threads: threads of one graph call; None leaves it to ONNX Runtime (all cores).

    Raises:
        ShopguideError: it is not a whole bundle of this format, or a file was changed.
    """
    folder = Path(path)
    manifest = _verified_manifest(folder)
    fusion = folder / FUSION
    calibrators = Calibrators.read(folder / "calibrators.json")
    calibrators.check(manifest.tasks, f"{folder}/calibrators.json")
    return Bundle(
        path=folder,
        manifest=manifest,
        spec=load_spec(folder / "spec.yaml"),
        preprocessing=Preprocessing.read(folder / "preprocessing.json"),
        calibrators=calibrators,
        profile=Profile.read(folder / "profile.json"),
        fusion=_read_fusion(fusion) if fusion.exists() else None,
        session=open_session((folder / "model.onnx").read_bytes(), threads=threads),
    )


def open_session(graph: bytes, *, threads: int | None = None) -> onnxruntime.InferenceSession:
    """Open a graph for scoring on the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def run_graph(
    session: onnxruntime.InferenceSession, preprocessing: Preprocessing, table: pa.Table
) -> dict[str, NDArray[np.float64]]:
    """Preprocess a table and run the graph over it, [N] by output, or [N, classes]."""
    names = [output.name for output in session.get_outputs()]
    expected = {name: np.empty(table.num_rows, dtype=np.float64) for name in names}
    wanted = {graph_input.name for graph_input in session.get_inputs()}
    for start in range(0, table.num_rows, _CHUNK):
        codes, numbers = preprocessing.transform(table.slice(start, _CHUNK))
        feed = {"categorical": codes, "numeric": numbers}
        outputs = session.run(names, {name: feed[name] for name in wanted})
        for name, values in zip(names, outputs, strict=True):
            if start == 0 and values.ndim > 1:
                expected[name] = np.empty((table.num_rows, *values.shape[1:]), dtype=np.float64)
            expected[name][start : start + len(values)] = values
    return expected


def fusion_document(fusion: Fusion) -> FusionDocument:
    """Return a fusion as its JSON document."""
    return FusionDocument.model_validate(asdict(fusion))


def _read_fusion(path: Path) -> Fusion:
    document = FusionDocument.read(path)
    return Fusion(**document.model_dump())


def _verified_manifest(folder: Path) -> Manifest:
    if not (folder / MANIFEST).is_file():
        what = "has no bundle.json" if folder.is_dir() else "there is no such folder"
        raise ShopguideError(str(folder), what, "Give the folder that `shopguide train` wrote")
    manifest = Manifest.read(folder / MANIFEST)
    if manifest.format != FORMAT:
        raise ShopguideError(
            f"{folder}/{MANIFEST}",
            f"the bundle has format {manifest.format}, this version reads {FORMAT}",
            "Train it again with this version",
        )
    found = file_checksums(folder)
    changed = [n for n, digest in manifest.checksums.items() if found.get(n) != digest]
    if changed or overall_checksum(manifest.checksums) != manifest.checksum:
        what = f"{', '.join(changed)} changed or went missing" if changed else "was edited"
        raise ShopguideError(f"{folder}/{MANIFEST}", f"{what} since it was written", _RETRAIN)
    extra = sorted(set(found) - set(manifest.checksums))
    if extra:
        raise ShopguideError(
            str(folder), f"holds {', '.join(extra)}, which the manifest does not know", _RETRAIN
        )
    return manifest
