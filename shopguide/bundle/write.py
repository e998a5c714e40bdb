"""Write a bundle."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shopguide.bundle.bundle import fusion_document, load_bundle
from shopguide.bundle.calibration import Calibrators
from shopguide.bundle.document import Document
from shopguide.bundle.manifest import (
    FORMAT,
    FUSION,
    MANIFEST,
    SOLUTION,
    InputEntry,
    Manifest,
    TaskEntry,
    TrainPeriod,
    file_checksums,
    overall_checksum,
)
from shopguide.bundle.preprocessing import Preprocessing
from shopguide.bundle.profile import Profile
from shopguide.files import atomic_directory
from shopguide.fusion import Fusion
from shopguide.spec import Spec, dump_spec


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a bundle is made of.

    Args:
        feature_service: Feast feature service that delivers the inputs online.
        graph: the ONNX model; inputs `categorical` and `numeric`, one output a task.
        golden: at most 200 real rows with inputs and `prediction_TASK`.
        training: how the training went; no times, so that equal runs give equal checksums.
        versions: libraries that trained it.
    """

    spec: Spec
    feature_service: str
    graph: bytes
    preprocessing: Preprocessing
    calibrators: Calibrators
    profile: Profile
    golden: pa.Table
    training: Document
    versions: Mapping[str, str]


def write_bundle(out: str | Path, contents: Contents) -> Manifest:
    """Write a bundle without fusion weights; it appears whole or not at all.

    Args:
        out: folder to write; an older bundle there is replaced.
        contents: the parts.

    Raises:
        ShopguideError: `out` holds something that is not a bundle.
    """
    with atomic_directory(out, marker=MANIFEST) as folder:
        (folder / "model.onnx").write_bytes(contents.graph)
        dump_spec(contents.spec, folder / "spec.yaml")
        contents.preprocessing.write(folder / "preprocessing.json")
        contents.calibrators.write(folder / "calibrators.json")
        contents.profile.write(folder / "profile.json")
        contents.training.write(folder / "training.json")
        pq.write_table(contents.golden, folder / "golden.parquet")
        checksums = file_checksums(folder)
        checksum = overall_checksum(checksums)
        manifest = Manifest(
            format=FORMAT,
            name=contents.spec.name,
            version=checksum[:12],
            created=datetime.now(UTC),
            tasks=task_entries(contents.spec),
            categories={n: list(t.labels) for n, t in contents.spec.category_tasks().items()},
            inputs=_input_entries(contents.preprocessing),
            feature_service=contents.feature_service,
            train_period=TrainPeriod(**contents.profile.train_period.model_dump()),
            checksums=checksums,
            checksum=checksum,
            versions=dict(contents.versions),
        )
        manifest.write(folder / MANIFEST)
    return manifest


def with_fusion(
    bundle_dir: str | Path, out_dir: str | Path, fusion: Fusion, solution: Document | None = None
) -> None:
    """Copy a bundle and give the copy fusion weights, and with them a version of its own.

    Args:
        bundle_dir: bundle, with or without weights; those it has, and their solution, are left out.
        out_dir: folder to write; an older bundle there is replaced, even `bundle_dir` itself.
        fusion: the weights.
        solution: how they were found, written beside them.

    Raises:
        ShopguideError: `bundle_dir` is not a whole bundle, or `out_dir` holds something else.
    """
    former = load_bundle(bundle_dir).manifest
    with atomic_directory(out_dir, marker=MANIFEST) as folder:
        for name in former.checksums:
            if name not in (FUSION, SOLUTION):
                shutil.copyfile(Path(bundle_dir) / name, folder / name)
        fusion_document(fusion).write(folder / FUSION)
        if solution is not None:
            solution.write(folder / SOLUTION)
        checksums = file_checksums(folder)
        checksum = overall_checksum(checksums)
        changes = {"checksums": checksums, "checksum": checksum, "version": checksum[:12]}
        former.model_copy(update=changes).write(folder / MANIFEST)


def task_entries(spec: Spec) -> list[TaskEntry]:
    """Return the manifest's entries of a spec's tasks that are predicted as one number."""
    return [TaskEntry(name=n, kind=t.kind, after=t.after) for n, t in spec.quantities().items()]


def _input_entries(preprocessing: Preprocessing) -> list[InputEntry]:
    categorical = [c for c in preprocessing.categorical if not c.of]
    entries = [InputEntry(name=c.name, kind="categorical") for c in categorical]
    entries += [InputEntry(name=c.name, kind=c.kind) for c in preprocessing.lists]
    return entries + [InputEntry(name=c.name, kind=c.kind) for c in preprocessing.numeric]
