"""Write a bundle."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shopguide.bundle.bundle import load_bundle
from shopguide.bundle.calibration import Calibrators
from shopguide.bundle.document import Document
from shopguide.bundle.fusion import write_fusion
from shopguide.bundle.manifest import (
    CALIBRATORS,
    FORMAT,
    FUSION,
    GOLDEN,
    GRAPH,
    MANIFEST,
    PREPROCESSING,
    PROFILE,
    SOLUTION,
    SPEC,
    TRAINING,
    WEIGHTS,
    Manifest,
    TrainPeriod,
    file_checksums,
)
from shopguide.bundle.preprocessing import Preprocessing
from shopguide.bundle.profile import Profile
from shopguide.bundle.verify import category_entries, input_entries, task_entries
from shopguide.files import atomic_directory
from shopguide.fusion import Fusion
from shopguide.spec import Spec, dump_spec


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a bundle is made of.

    Args:
        feature_service: Feast feature service that delivers the inputs online.
        graph: the ONNX model; inputs `categorical`, `numeric` and maybe `rows`, one output a task.
        golden: at most 200 real rows with inputs and `prediction_TASK`.
        training: how the training went; no times, so that equal runs give equal checksums.
        versions: libraries that trained it.
        weights: of the network, for another training to go on from; None: they are not kept.
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
    weights: bytes | None = None


def write_bundle(out: str | Path, contents: Contents) -> Manifest:
    """Write a bundle without fusion weights; it appears whole or not at all.

    Args:
        out: folder to write; an older bundle there is replaced.
        contents: the parts.

    Raises:
        ShopguideError: `out` holds something that is not a bundle.
    """
    with atomic_directory(out, marker=MANIFEST) as folder:
        (folder / GRAPH).write_bytes(contents.graph)
        dump_spec(contents.spec, folder / SPEC)
        contents.preprocessing.write(folder / PREPROCESSING)
        contents.calibrators.write(folder / CALIBRATORS)
        contents.profile.write(folder / PROFILE)
        contents.training.write(folder / TRAINING)
        pq.write_table(contents.golden, folder / GOLDEN)
        if contents.weights is not None:
            (folder / WEIGHTS).write_bytes(contents.weights)
        manifest = Manifest(
            format=FORMAT,
            name=contents.spec.name,
            version="",
            created=datetime.now(UTC),
            tasks=task_entries(contents.spec),
            categories=category_entries(contents.spec),
            inputs=input_entries(contents.preprocessing),
            feature_service=contents.feature_service,
            train_period=TrainPeriod(**contents.profile.train_period.model_dump()),
            checksums=file_checksums(folder),
            checksum="",
            versions=dict(contents.versions),
        ).sealed()
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
        write_fusion(folder / FUSION, fusion)
        if solution is not None:
            solution.write(folder / SOLUTION)
        changed = former.model_copy(update={"checksums": file_checksums(folder)})
        changed.sealed().write(folder / MANIFEST)


def with_training(bundle_dir: str | Path, out_dir: str | Path, training: Document) -> Manifest:
    """Copy a bundle with another record of its training, and with it a version of its own.

    Args:
        bundle_dir: bundle.
        out_dir: folder to write; an older bundle there is replaced, even `bundle_dir` itself.
        training: the record.

    Raises:
        ShopguideError: `bundle_dir` is not a whole bundle, or `out_dir` holds something else.
    """
    former = load_bundle(bundle_dir).manifest
    with atomic_directory(out_dir, marker=MANIFEST) as folder:
        for name in former.checksums:
            shutil.copyfile(Path(bundle_dir) / name, folder / name)
        training.write(folder / TRAINING)
        changed = former.model_copy(update={"checksums": file_checksums(folder)}).sealed()
        changed.write(folder / MANIFEST)
    return changed
