"""Build a Bento: the bundle, the service, and the light part of the library; no training code."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import yaml

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.spec import Spec

_log = logging.getLogger(__name__)

SERVICE = "serving.service:Ranking"

_LIBRARY = (
    "__init__.py",
    "columns.py",
    "errors.py",
    "files.py",
    "fusion.py",
    "spec",
    "bundle",
    "features/__init__.py",
    "features/arena.py",
    "features/catalogue.py",
    "features/cells.py",
    "features/layout.py",
    "features/marker.py",
    "features/online.py",
    "features/online_store.py",
    "features/online_views.py",
    "features/postgres_reader.py",
    "features/redis_reader.py",
    "features/request_part.py",
    "features/sqlite_reader.py",
    "features/store.py",
    "features/versions.py",
)
"""Files of shopguide that the service imports; a test holds the list to that."""

SERVICE_PACKAGES = ("bentoml", "numpy", "onnxruntime", "pyarrow", "pydantic", "pyyaml")
"""What the service runs on, pinned to the versions that it was blessed with."""

STORE_PACKAGES = {
    "sqlite": (),
    "redis": ("redis", "hiredis", "mmh3"),
    "postgres": ("psycopg", "psycopg-binary"),
}
"""What it needs beside that for an online store."""


@dataclass(frozen=True, slots=True)
class Bento:
    """A built Bento.

    Args:
        tag: name and version in its store.
        path: its directory.
        store: BENTOML_HOME of the store.
    """

    tag: str
    path: Path
    store: Path


def build_bento(spec: Spec, bundle: str | Path) -> Bento:
    """Build the Bento of a bundle into the store of the spec's home.

    The version names the bundle and the service's source, so building again finds it built.

    Args:
        spec: reads `name` and `home`.
        bundle: bundle with fusion weights.

    Raises:
        ShopguideError: the bundle is broken or unsolved, or BentoML cannot build.
    """
    loaded = load_bundle(bundle)
    if loaded.fusion is None:
        raise ShopguideError(
            str(bundle), "has no fusion weights", "Solve the objective first: `shopguide solve`"
        )
    store = bento_store(spec)
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shopguide-bento-") as folder:
        context = Path(folder)
        _stage(context, Path(bundle), spec)
        built = f"{loaded.manifest.version}-{_digest(context)[:8]}"
        path = store / "bentos" / spec.name / built
        if not (path / "bento.yaml").is_file():
            _run_build(context, store, built)
    return Bento(tag=f"{spec.name}:{built}", path=path, store=store)


def bento_store(spec: Spec) -> Path:
    """Return the folder of the Bento store of a spec's home."""
    return Path(spec.home).resolve() / "bentoml"


def bento_environment(store: Path) -> dict[str, str]:
    """Return the environment for BentoML's own commands.

    Args:
        store: the Bento store.
    """
    return os.environ | {"BENTOML_HOME": str(store), "BENTOML_DO_NOT_TRACK": "True"}


def bentoml_command(*arguments: str) -> list[str]:
    """Return a command of BentoML's, run with this interpreter."""
    return [sys.executable, "-m", "bentoml", *arguments]


def _stage(context: Path, bundle: Path, spec: Spec) -> None:
    """Lay out the build context: only what the service needs."""
    library = Path(__file__).resolve().parent.parent
    for name in _LIBRARY:
        _copy(library / name, context / "shopguide" / name)
    service = find_spec("serving")
    assert service is not None, "the service is installed with the library"
    assert service.submodule_search_locations is not None, "it is a package"
    _copy(Path(service.submodule_search_locations[0]), context / "serving")
    _copy(bundle, context / "bundle")
    home = str(Path(spec.home).resolve())
    (context / "service.json").write_text(json.dumps({"home": home}), encoding="utf-8")
    needed = [*SERVICE_PACKAGES, *STORE_PACKAGES[spec.features.online_store.type]]
    packages = [f"{name}=={version(name)}" for name in needed]
    bentofile = {
        "service": SERVICE,
        "name": spec.name,
        "labels": {"bundle": load_bundle(bundle).manifest.checksum},
        "include": ["*"],
        "python": {"packages": packages, "lock_packages": False},
    }
    text = yaml.safe_dump(bentofile, sort_keys=False)
    (context / "bentofile.yaml").write_text(text, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _digest(context: Path) -> str:
    """Hash every staged file but the bundle, which its own checksum names."""
    digest = hashlib.sha256()
    for path in sorted(context.rglob("*")):
        relative = path.relative_to(context)
        if path.is_file() and relative.parts[0] != "bundle":
            digest.update(str(relative).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _run_build(context: Path, store: Path, built: str) -> None:
    result = subprocess.run(
        bentoml_command("build", str(context), "--version", built, "--output", "tag"),
        env=bento_environment(store),
        cwd=context,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        _log.error("bentoml build:\n%s%s", result.stdout, result.stderr)
        lines = (result.stdout + result.stderr).strip().splitlines()
        raise ShopguideError(
            "bentoml build", lines[-1].strip() if lines else "failed", "See the step's log"
        )
    _log.info("bento: built %s", built)
