"""Raw logs → canonical log, whatever the source."""

import logging
import time
from pathlib import Path

from shopguide.logs._writing import LogSummary
from shopguide.spec import Spec
from shopguide.spec.data import CompleteJourney
from shopguide.spec.event_log import EventLog

_log = logging.getLogger(__name__)


def prepare_logs(spec: Spec, out: str | Path) -> LogSummary:
    """Turn the spec's raw logs into a canonical log.

    Args:
        spec: checked spec; reads `data` and `split`.
        out: directory to write, whole or not at all; an older log there is replaced.

    Returns:
        Rows by table, what was left out and why, and the notes that reports must repeat.

    Raises:
        ShopguideError: the input cannot be read as the spec says; all problems at once.
        InvalidDataError: the input was read and contradicts itself.
    """
    started = time.monotonic()
    if isinstance(spec.data, CompleteJourney):
        from shopguide.logs.complete_journey import prepare_complete_journey

        summary = prepare_complete_journey(spec, spec.data, out)
    elif isinstance(spec.data, EventLog):
        from shopguide.logs.event_log import prepare_event_log

        summary = prepare_event_log(spec, spec.data, out)
    else:
        from shopguide.logs.simulator.canonical import prepare_simulator

        summary = prepare_simulator(spec, spec.data, out)
    _log.info("prepare_logs: %s, %.1f s", summary.source, time.monotonic() - started)
    return summary
