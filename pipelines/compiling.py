"""Compile pipelines and components to YAML and contracts, and check that those are in sync."""

import difflib
import re
import tempfile
import warnings
from pathlib import Path

from kfp import compiler

import components
from components._image import IMAGE
from pipelines import PIPELINES
from pipelines.contracts import contracts
from shopguide.errors import ShopguideError

ROOT = Path(__file__).resolve().parent.parent

CONTRACTS = "README.md"


def compile_all(root: Path = ROOT) -> list[Path]:
    """Compile every pipeline and component below a root, and write their contracts.

    Returns the files written.

    Args:
        root: directory that holds `pipelines/compiled` and `components/compiled`.
    """
    targets = {
        root / "pipelines" / "compiled" / f"{name}.yaml": pipeline
        for name, pipeline in PIPELINES.items()
    } | {
        root / "components" / "compiled" / f"{name}.yaml": getattr(components, name)
        for name in components.__all__
        if name != "record_run"  # an exit task's status exists only within a pipeline
    }
    for path, function in targets.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=FutureWarning)
            compiler.Compiler().compile(function, str(path))
    page = root / "components" / CONTRACTS
    page.write_text(contracts(root), encoding="utf-8")
    return sorted([*targets, page])


def compile_for(image: str, folder: Path) -> list[Path]:
    """Compile everything for an image of one's own registry; return the files written.

    Args:
        image: with its digest, or with a version as tag.
        folder: gets `pipelines/compiled` and `components/compiled`.

    Raises:
        ShopguideError: the image is named by nothing that stays what it is.
    """
    name, _, digest = image.partition("@")
    _, _, tag = name.rpartition("/")[2].partition(":")
    if re.search(r"\s", image) or not (
        re.fullmatch("sha256:[0-9a-f]{64}", digest) if digest else tag
    ):
        raise ShopguideError(
            "--image",
            f"{image!r} has no digest and no version",
            "Write NAME@sha256:… or NAME:1.2.3",
        )
    if tag == "latest" and not digest:
        raise ShopguideError(
            "--image", f"{image!r} moves, and Kubeflow's cache does not see it", "Write its digest"
        )
    written = compile_all(folder)
    for path in written:
        path.write_text(
            path.read_text(encoding="utf-8").replace(f"image: {IMAGE}\n", f"image: {image}\n"),
            encoding="utf-8",
        )
    return written


def differences(root: Path = ROOT) -> str:
    """Return the diff from the committed YAML to a fresh compilation; empty when in sync."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        names = {path.relative_to(fresh) for path in compile_all(fresh)}
        committed = {
            path.relative_to(root)
            for room in ("pipelines", "components")
            for path in (root / room / "compiled").glob("*.yaml")
        }
        return "".join(
            _diff(root / name, fresh / name, str(name)) for name in sorted(names | committed)
        )


def _diff(committed: Path, fresh: Path, name: str) -> str:
    before, after = (
        path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        for path in (committed, fresh)
    )
    return "".join(difflib.unified_diff(before, after, f"committed/{name}", f"compiled/{name}"))
