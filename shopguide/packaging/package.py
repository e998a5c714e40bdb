"""Build a Bento, start it, and bless it or say why not."""

import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from shopguide.bundle import load_bundle
from shopguide.files import atomic_directory, write_json, write_text
from shopguide.packaging.bless import Findings, replay
from shopguide.packaging.build import build_bento
from shopguide.packaging.process import ServiceFailedError, running
from shopguide.spec import Spec

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Blessing:
    """Whether a Bento may be promoted.

    Args:
        tag: of the Bento.
        path: its directory.
        bundle: checksum of the bundle in it.
        reasons: why it may not; empty if it may.
        startup_seconds: from start to ready; None if it never was.
        memory_mb: resident memory after the replay, MB.
        findings: of the replay; None if the service did not start.
    """

    tag: str
    path: str
    bundle: str
    reasons: tuple[str, ...]
    startup_seconds: float | None
    memory_mb: float | None
    findings: Findings | None

    @property
    def blessed(self) -> bool:
        """Whether nothing was found against it."""
        return not self.reasons


def package_bento(
    spec: Spec, bundle: str | Path, training_set: str | Path, out: str | Path
) -> Blessing:
    """Build the Bento of a bundle, start the real service, replay requests over HTTP.

    A service that fails is an answer, not an error: the blessing says why.

    Args:
        spec: reads `name`, `home` and `serving`.
        bundle: bundle with fusion weights.
        training_set: requests of its test period are replayed.
        out: directory of bento.txt (tag, then path) and blessing.json.

    Raises:
        ShopguideError: the bundle is broken or unsolved, or BentoML cannot build.
    """
    started = time.monotonic()
    loaded = load_bundle(bundle, threads=1)
    bento = build_bento(spec, bundle)
    startup = memory = findings = None
    try:
        with running(
            bento, home=Path(spec.home).resolve(), timeout=spec.serving.startup_seconds
        ) as service:
            startup = service.startup_seconds
            findings = replay(service, loaded, training_set, spec)
            memory = service.memory_mb()
        reasons = findings.reasons
        if memory > spec.serving.max_memory_mb:
            limit = spec.serving.max_memory_mb
            reasons += (f"it takes {memory:.0f} MB of memory, over {limit:g}",)
    except ServiceFailedError as error:
        reasons = (str(error),)
    blessing = Blessing(
        bento.tag, str(bento.path), loaded.manifest.checksum, reasons, startup, memory, findings
    )
    with atomic_directory(out, marker="bento.txt") as folder:
        write_text(folder / "bento.txt", f"{bento.tag}\n{bento.path}\n")
        write_json(folder / "blessing.json", {"blessed": blessing.blessed, **asdict(blessing)})
    _log.info(
        "package: %s %s, %.1f s",
        bento.tag,
        "blessed" if blessing.blessed else f"not blessed: {'; '.join(reasons)}",
        time.monotonic() - started,
    )
    return blessing
