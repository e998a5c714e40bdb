"""A spec file as the parameters of a pipeline that runs elsewhere."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pipelines.spec_text import spec_text
from shopguide.errors import ShopguideError
from shopguide.spec import Spec, load_spec
from shopguide.spec.data import CompleteJourney
from shopguide.spec.event_log import EventLog


def spec_parameter(path: Path, profile: str | None, overrides: Sequence[str]) -> str:
    """Return a checked spec as the text of `spec_text`, for steps that run on another machine.

    Args:
        path: of the spec file.
        profile: of the spec.
        overrides: A.B.C=VALUE each.

    Raises:
        ShopguideError: the spec is invalid, or names a file or folder by a relative path.
    """
    spec = load_spec(path, profile=profile, overrides=list(overrides))
    problems = [
        ShopguideError(
            f"{path}, {place}",
            f"{value!r} is relative, and the steps run in pods",
            f"Name a path on a volume that all steps share, such as --set {place}=/state/…",
        )
        for place, value in _paths(spec)
        if "://" not in value and not PurePosixPath(value).is_absolute()
    ]
    if problems:
        raise ShopguideError.combined(problems)
    return spec_text(spec)


def _paths(spec: Spec) -> list[tuple[str, str]]:
    found = [("home", str(spec.home))]
    data = spec.data
    if isinstance(data, CompleteJourney) and data.path is not None:
        found.append(("data.path", str(data.path)))
    elif isinstance(data, EventLog):
        for place, files in (
            ("data", data),
            ("data.items", data.items),
            ("data.users", data.users),
        ):
            if files is not None:
                paths = [files.path] if isinstance(files.path, str) else files.path
                found += [(f"{place}.path", str(each)) for each in paths]
    return found
