"""The registry: MLflow versions and aliases, moved only by a decision; history and rollback.

Example:
    >>> from shopguide.registry import history
    >>> from shopguide.spec import load_spec
    >>> history(load_spec("specs/complete_journey.yaml"))  # doctest: +SKIP
    [HistoryEntry(...)]
"""

from shopguide.registry.promote import NotPromotedError, promote_model, rollback
from shopguide.registry.publish import champion_bento
from shopguide.registry.runs import (
    HistoryEntry,
    history,
    read_ledger,
    record_refusal,
    record_run,
)
from shopguide.registry.versions import (
    NoChampionError,
    copy_champion,
    fetch_champion,
)

__all__ = [
    "HistoryEntry",
    "NoChampionError",
    "NotPromotedError",
    "champion_bento",
    "copy_champion",
    "fetch_champion",
    "history",
    "promote_model",
    "read_ledger",
    "record_refusal",
    "record_run",
    "rollback",
]
