"""Whether a folder is a whole bundle of this format, as it was written."""

from collections.abc import Sequence
from pathlib import Path

from shopguide.bundle.manifest import (
    ALWAYS,
    FORMAT,
    FUSION,
    MANIFEST,
    SOLUTION,
    WEIGHTS,
    InputEntry,
    Manifest,
    TaskEntry,
    file_checksums,
)
from shopguide.bundle.preprocessing import Preprocessing
from shopguide.bundle.profile import Profile
from shopguide.errors import ShopguideError
from shopguide.spec import Spec

_COPY = "Copy the bundle again from where it was written, or train it again"


def verified_manifest(folder: Path) -> Manifest:
    """Read a bundle's manifest, and hold the folder's files and its own fields against it.

    Raises:
        ShopguideError: a file is missing, changed, unknown or no file, or the manifest was edited.
    """
    if not (folder / MANIFEST).is_file():
        what = "has no bundle.json" if folder.is_dir() else "there is no such folder"
        raise ShopguideError(str(folder), what, "Give the folder that `shopguide train` wrote")
    manifest = Manifest.read(folder / MANIFEST)
    if manifest.format != FORMAT:
        raise ShopguideError(
            f"{folder}/{MANIFEST} format",
            f"the bundle has format {manifest.format}, this version reads {FORMAT}",
            "Train it again with this version",
        )
    _require_known_names(manifest, folder)
    _require_files(manifest, folder)
    if manifest.sealed() != manifest:
        raise ShopguideError(
            f"{folder}/{MANIFEST}",
            "was edited since it was written: its checksum does not fit its other fields",
            _COPY,
        )
    return manifest


def _require_known_names(manifest: Manifest, folder: Path) -> None:
    where = f"{folder}/{MANIFEST} checksums"
    absent = [name for name in ALWAYS if name not in manifest.checksums]
    if absent:
        raise ShopguideError(where, f"lacks {', '.join(absent)}, which a bundle needs", _COPY)
    unknown = sorted(set(manifest.checksums) - {*ALWAYS, FUSION, SOLUTION, WEIGHTS})
    if unknown:
        raise ShopguideError(where, f"names {unknown[0]!r}, which no bundle has", _COPY)


def _require_files(manifest: Manifest, folder: Path) -> None:
    try:
        for path in sorted(folder.iterdir()):
            if path.is_symlink() or not path.is_file():
                what = "is a link" if path.is_symlink() else "is not a file"
                raise ShopguideError(
                    str(path), f"{what}; a bundle holds files alone", "Copy the files themselves"
                )
        found = file_checksums(folder)
    except OSError as error:
        raise ShopguideError(
            str(error.filename or folder), f"cannot be read: {error.strerror}", _COPY
        ) from None
    extra = sorted(set(found) - set(manifest.checksums))
    if extra:
        raise ShopguideError(
            str(folder), f"holds {', '.join(extra)}, which the manifest does not know", _COPY
        )
    for name, digest in manifest.checksums.items():
        if name not in found:
            raise ShopguideError(
                f"{folder}/{name}", "went missing since the bundle was written", _COPY
            )
        if found[name] != digest:
            raise ShopguideError(
                f"{folder}/{name}", "was changed since the bundle was written", _COPY
            )


def check_agreement(
    manifest: Manifest, spec: Spec, preprocessing: Preprocessing, profile: Profile, folder: Path
) -> None:
    """Refuse a manifest that says otherwise than the documents that it sums up.

    Raises:
        ShopguideError: names the field and the document.
    """
    period = profile.train_period
    said = {
        "name": (manifest.name, spec.name, "spec.yaml"),
        "tasks": (manifest.tasks, task_entries(spec), "spec.yaml"),
        "categories": (manifest.categories, category_entries(spec), "spec.yaml"),
        "inputs": (manifest.inputs, input_entries(preprocessing), "preprocessing.json"),
        "train_period": (manifest.train_period, period, "profile.json"),
    }
    for field, (here, there, document) in said.items():
        if here != there:
            raise ShopguideError(
                f"{folder}/{MANIFEST} {field}",
                f"says otherwise than {document}: {_first_apart(here, there)}",
                _COPY,
            )


def task_entries(spec: Spec) -> list[TaskEntry]:
    """Return the manifest's entries of a spec's tasks that are predicted as one number."""
    return [TaskEntry(name=n, kind=t.kind, after=t.after) for n, t in spec.quantities().items()]


def category_entries(spec: Spec) -> dict[str, list[str]]:
    """Return the classes of a spec's tasks that are predicted as a probability of each."""
    return {name: list(task.labels) for name, task in spec.category_tasks().items()}


def input_entries(preprocessing: Preprocessing) -> list[InputEntry]:
    """Return the manifest's entries of the columns that are read."""
    categorical = [c for c in preprocessing.categorical if not c.of]
    entries = [InputEntry(name=c.name, kind="categorical") for c in categorical]
    entries += [InputEntry(name=c.name, kind=c.kind) for c in preprocessing.lists]
    return entries + [InputEntry(name=c.name, kind=c.kind) for c in preprocessing.numeric]


def _first_apart(here: object, there: object) -> str:
    """Return what first differs, of two lists or of two values."""
    if isinstance(here, Sequence) and isinstance(there, Sequence) and not isinstance(here, str):
        pairs = zip([*here, None], [*there, None], strict=False)
        here, there = next((pair for pair in pairs if pair[0] != pair[1]), (here, there))
    return f"{here or 'nothing'} against {there or 'nothing'}"
