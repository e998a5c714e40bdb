"""Raw shop logs → the canonical log: impressions, events, users, items.

Example:
    >>> from shopguide.logs import prepare_logs
    >>> from shopguide.spec import load_spec
    >>> summary = prepare_logs(load_spec("specs/complete_journey.yaml"), "log")  # doctest: +SKIP
"""

from shopguide.logs._writing import LogSummary
from shopguide.logs.labels import label_impressions
from shopguide.logs.prepare import prepare_logs

__all__ = ["LogSummary", "label_impressions", "prepare_logs"]
