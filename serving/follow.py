"""Follow the champion: load its bundle beside the old one, prove it, and swap without a pause."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from serving.engine_metrics import SWAPS
from serving.ranker import Ranker
from serving.reading import open_features
from shopguide.bundle import Bundle, load_bundle
from shopguide.bundle.pointer import Pointer, read_pointer
from shopguide.errors import ShopguideError

_log = logging.getLogger("shopguide.serving")

_AGAIN = 30
"""Looks after which a bundle that was refused is tried again: it may have been mended."""


class Follower:
    """Looks who is champion, and hands over a ranker of each new one.

    Args:
        bundle: that is served now.
        home: in which promotions write who is champion.
        swap: takes a ranker that was proven; after it returns, the old one gets no new request.
    """

    def __init__(self, bundle: Bundle, home: Path, swap: Callable[[Ranker], None]) -> None:
        self._name = bundle.manifest.name
        self._serving = bundle.manifest.checksum
        self._seconds = bundle.spec.serving.follow_seconds
        self._home = home
        self._swap = swap
        self._refused: Pointer | None = None
        self._looks = 0
        self._stop = threading.Event()

    def start(self) -> None:
        """Look now, and from now on in a thread."""
        self.look()
        threading.Thread(target=self._run, name="champion", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def look(self) -> bool:
        """Look once; say whether another champion took over. Nothing that is wrong is raised."""
        try:
            pointer = read_pointer(self._home, self._name)
        except ShopguideError as error:
            self._refuse(None, error)
            return False
        if pointer is None or pointer.checksum == self._serving or self._is_refused(pointer):
            return False
        try:
            ranker = self._proven(pointer)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the old one serves on
            self._refuse(pointer, error)
            return False
        self._swap(ranker)
        self._serving, self._refused = pointer.checksum, None
        SWAPS.labels("swapped").inc()
        _log.info("champion %s: serving bundle %s", pointer.version, ranker.version)
        return True

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the thread must live as long as the service
                _log.exception("following the champion")

    def _proven(self, pointer: Pointer) -> Ranker:
        bundle = load_bundle(self._home / pointer.bundle, threads=1)
        manifest = bundle.manifest
        if manifest.checksum != pointer.checksum or manifest.name != self._name:
            raise ShopguideError(
                str(bundle.path),
                f"is the bundle {manifest.name} {manifest.checksum[:12]}, expected "
                f"{self._name} {pointer.checksum[:12]}",
                "Promote it again",
            )
        apart, limit = bundle.golden_difference(), bundle.spec.serving.max_score_difference
        if not apart <= limit:
            raise ShopguideError(
                str(bundle.path),
                f"predicts its golden rows {apart:.2g} apart from what training noted, over "
                f"{limit:g}",
                "Package it with the versions that it was trained with",
            )
        if bundle.fusion is None:
            raise ShopguideError(str(bundle.path), "has no fusion weights", "Promote another")
        features = open_features(bundle, self._home)
        if features is None:  # not that it is down: that would not keep it from being opened
            raise ShopguideError(
                str(bundle.path),
                "needs a feature store that this service cannot open (see the line before)",
                "Deploy the Bento that was built with it",
            )
        return Ranker(bundle, features)

    def _is_refused(self, pointer: Pointer) -> bool:
        if pointer != self._refused:
            return False
        self._looks += 1
        return self._looks % _AGAIN != 0

    def _refuse(self, pointer: Pointer | None, error: Exception) -> None:
        SWAPS.labels("refused").inc()
        self._refused = pointer
        called = "of the pointer" if pointer is None else pointer.version
        _log.error(
            "champion %s: refused, the old one goes on: %s: %s",
            called, type(error).__name__, str(error)[:300],
        )  # fmt: skip
