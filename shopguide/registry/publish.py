"""Tell services who is champion: the bundle into the home, then the pointer to it."""

import shutil
import tempfile
from pathlib import Path

from shopguide.bundle import load_bundle
from shopguide.bundle.manifest import MANIFEST
from shopguide.bundle.pointer import (
    Pointer,
    bundle_folder,
    read_pointer,
    write_pointer,
)
from shopguide.bundle.verify import verified_manifest
from shopguide.errors import ShopguideError
from shopguide.files import atomic_directory
from shopguide.registry.client import exclusive, open_client, registry_exists
from shopguide.registry.versions import Version, champion
from shopguide.spec import Spec


def stage_bundle(spec: Spec, version: Version, bundle: Path | None = None) -> None:
    """Bring a version's bundle into the home, verified; one that is there whole stays.

    Args:
        spec: reads `name` and `home`.
        version: of the registry.
        bundle: where its files are; None takes them from the registry.

    Raises:
        ShopguideError: the bundle is not the one that was registered.
    """
    target = Path(spec.home) / bundle_folder(spec.name, version.checksum)
    if _is_whole(target, version.checksum):
        return
    with tempfile.TemporaryDirectory(prefix="shopguide-champion-") as folder:
        source = bundle or _download(version, folder)
        found = load_bundle(source).manifest.checksum
        if found != version.checksum:
            raise ShopguideError(
                str(source),
                f"has the checksum {found[:12]}, and version {version.version} has "
                f"{version.checksum[:12]}",
                "Give the bundle that was registered",
            )
        with atomic_directory(target, marker=MANIFEST) as staged:
            shutil.copytree(source, staged, dirs_exist_ok=True)


def point_services(spec: Spec, version: Version) -> None:
    """Write who is champion, unless it is written already; its bundle is in the home.

    Args:
        spec: reads `name` and `home`.
        version: the champion of the registry.
    """
    folder = bundle_folder(spec.name, version.checksum)
    pointer = Pointer(
        version=version.version,
        checksum=version.checksum,
        bundle=folder,
        bento=version.bento,
        feature_service=verified_manifest(Path(spec.home) / folder).feature_service,
    )
    if _written(spec) != pointer:
        write_pointer(spec.home, spec.name, pointer)


def champion_bento(spec: Spec) -> tuple[str, str] | None:
    """Return the champion's version and the tag of its Bento; None when there is none.

    What a promotion that was cut off did not come to is done: services are told who is champion.
    """
    if not registry_exists(spec):  # who only asks makes no home
        return None
    client = open_client(spec)
    with exclusive(spec):
        found = champion(client, spec)
        if found is None or found.bento is None:
            return None
        stage_bundle(spec, found)
        point_services(spec, found)
    return found.version, found.bento


def _written(spec: Spec) -> Pointer | None:
    try:
        return read_pointer(spec.home, spec.name)
    except ShopguideError:
        return None  # what is spoilt is written anew


def _is_whole(folder: Path, checksum: str) -> bool:
    try:
        return verified_manifest(folder).checksum == checksum
    except ShopguideError:
        return False


def _download(version: Version, folder: str) -> Path:
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=version.source, dst_path=folder))
