"""The worker and BentoML's first process, which starts it again whenever it ends.

A worker that refuses its settings must end both, with an exit code that says so; and a worker
whose first process was killed must end too, or it would go on behind the back of the next one.
"""

import atexit
import logging
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

_log = logging.getLogger("shopguide.serving")

_REFUSED = signal.SIGUSR1
_BAD_INPUT = 2
_LOOK_SECONDS = 0.5
_END_SECONDS = 45.0  # an answer may take 30


def is_worker() -> bool:
    """Say whether BentoML started this process as a worker."""
    return "--worker-id" in sys.argv


def fail_where_refused() -> None:
    """Make the first process end with exit code 2 when its worker says that it refuses to start.

    BentoML itself ends with 0 when it is told to stop.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(_REFUSED, _stop)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    atexit.register(_fail)
    os.kill(os.getpid(), signal.SIGTERM)


def _fail() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_BAD_INPUT)


def refuse(exit_code: int) -> NoReturn:
    """End this worker, and the first process with it."""
    logging.shutdown()
    os.kill(os.getppid(), _REFUSED)
    os._exit(exit_code)


def end_with_parent() -> None:
    """End this worker when the first process is gone; what waits is stored first."""
    threading.Thread(target=_watch, args=(os.getppid(),), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    _log.critical("BentoML's first process is gone; this worker ends")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END_SECONDS)
    os._exit(_BAD_INPUT)
