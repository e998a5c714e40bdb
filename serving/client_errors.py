"""Log a client's mistake as one line: BentoML logs its traceback, as if the service had failed."""

import logging

from bentoml.exceptions import BentoMLException
from pydantic import ValidationError

_LOGGER = "bentoml._internal.server.http_app"
_MOST = 300  # characters
_SERVER = 500  # status from which on the fault is ours


class ClientErrors(logging.Filter):
    """Turn the record of a refused request into a warning of one line; others stay as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place; every record is logged."""
        said = _said(record.exc_info[1] if record.exc_info else None)
        if said is not None:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            what = record.getMessage().replace("Exception on", "refused", 1)
            line = "".join(c if c.isprintable() else " " for c in f"{what}: {said}")
            record.msg, record.args = line[:_MOST], ()
            record.exc_info = record.exc_text = None
        return True


def log_client_errors_in_a_line() -> None:
    """Do so in this process; doing it again changes nothing."""
    logger = logging.getLogger(_LOGGER)
    if not any(isinstance(one, ClientErrors) for one in logger.filters):
        logger.addFilter(ClientErrors())


def _said(error: BaseException | None) -> str | None:
    if isinstance(error, ValidationError):
        details = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, d['loc']))}: {d['msg']}" for d in details)
    if isinstance(error, BentoMLException) and error.error_code.value < _SERVER:
        return str(error)
    return None
