"""Registered versions: who is champion, and which version a bundle has."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shopguide.bundle import load_bundle
from shopguide.bundle.manifest import MANIFEST
from shopguide.errors import ShopguideError
from shopguide.files import atomic_directory
from shopguide.registry.client import CHAMPION, open_client, registry_exists
from shopguide.spec import Spec

if TYPE_CHECKING:
    from mlflow import MlflowClient

BUNDLE = "bundle"
"""Folder of a run's artifacts that holds the bundle."""


class NoChampionError(ShopguideError):
    """Nothing was promoted yet: the answer is no (exit code 1)."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Version:
    """A registered bundle.

    Args:
        version: its number in the registry, as text.
        checksum: of the bundle.
        bento: tag of the Bento that serves it; None when none was built.
        source: where its files are.
    """

    version: str
    checksum: str
    bento: str | None
    source: str


def champion(client: "MlflowClient", spec: Spec, alias: str = CHAMPION) -> Version | None:
    """Return the version that an alias points to; None while it points nowhere."""
    model = client.get_registered_model(spec.name)
    number = model.aliases.get(alias)
    return None if number is None else get_version(client, spec, str(number))


def get_version(client: "MlflowClient", spec: Spec, number: str) -> Version:
    """Return one version by its number."""
    found = client.get_model_version(spec.name, number)
    return Version(
        version=str(found.version),
        checksum=found.tags.get("checksum", ""),
        bento=found.tags.get("bento") or None,
        source=str(found.source),
    )


def version_of(client: "MlflowClient", spec: Spec, checksum: str) -> Version | None:
    """Return the version that holds a bundle; the newest if there are several."""
    found = [
        version
        for version in client.search_model_versions(f"name = '{spec.name}'")
        if version.tags.get("checksum") == checksum
    ]
    if not found:
        return None
    newest = max(found, key=lambda version: int(version.version))
    return get_version(client, spec, str(newest.version))


def fetch_champion(spec: Spec, out: str | Path) -> str | None:
    """Copy the champion's bundle, and verify it.

    Args:
        spec: reads `registry`, `home` and `name`.
        out: directory to write; left empty when there is no champion.

    Returns:
        The champion's version; None when there is none.

    Raises:
        ShopguideError: the registry cannot be reached, or the bundle was changed.
    """
    if not registry_exists(spec):
        with atomic_directory(out, marker=MANIFEST):
            return None
    from mlflow.artifacts import download_artifacts

    client = open_client(spec)
    found = champion(client, spec)
    with atomic_directory(out, marker=MANIFEST) as folder:
        if found is not None:
            downloaded = Path(download_artifacts(artifact_uri=found.source, dst_path=str(folder)))
            for path in downloaded.iterdir():
                shutil.move(path, folder / path.name)
            if downloaded != folder:
                downloaded.rmdir()
            load_bundle(folder)
    return None if found is None else found.version


def copy_champion(spec: Spec, out: str | Path) -> str:
    """Copy the champion's bundle for people and other verbs to read.

    Args:
        spec: reads `registry`, `home` and `name`.
        out: directory to write.

    Returns:
        The champion's version.

    Raises:
        NoChampionError: there is none yet; nothing is written.
    """
    if not registry_exists(spec) or champion(open_client(spec), spec) is None:
        raise NoChampionError(
            f"registry, model {spec.name}", "there is no champion", "Run the pipeline first"
        )
    version = fetch_champion(spec, out)
    assert version is not None, "champions are moved, never taken away"
    return version
