"""Why a Kubeflow Pipelines server did not do what it was asked, in one line."""

import json
from collections.abc import Callable
from typing import Any

from urllib3 import exceptions as broken

from pipelines.kubeflow.access import Access
from shopguide.errors import ShopguideError

_LONGEST = 400  # characters of a server's own words


class KubeflowError(ShopguideError):
    """The server refused, broke, or does not answer.

    Args:
        where: the server.
        what: what was asked, and what came of it.
        fix: what to do about it.
        status: of the HTTP answer; 0 when there was none.
    """

    def __init__(self, where: str, what: str, fix: str, *, status: int = 0) -> None:
        super().__init__(f"Kubeflow {where}", what, fix)
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether it may well be over in a minute."""
        return self.status in (0, 429) or self.status >= 500

    @property
    def undecided(self) -> bool:
        """Whether the server may have done what it was asked, without our hearing of it."""
        return self.status == 0 or self.status >= 500


def explain(error: Exception, access: Access, doing: str) -> KubeflowError:
    """Say what an exception of kfp_server_api or urllib3 means.

    Args:
        error: what was raised.
        access: whom we asked.
        doing: what for, in words that follow "cannot".
    """
    if isinstance(error, UnicodeDecodeError):
        return _told(access, doing, "it answers with something that is no text", _WHERE)
    status = getattr(error, "status", None)
    if status is None:
        return _unreached(error, access, doing)
    if status == 0:  # the generated client's own word for what it cannot read
        what = f"the answer is not of API v2beta1: {_short(str(getattr(error, 'reason', '')))}"
        return _told(access, doing, what, "Use a kfp whose version is the server's")
    words = _words(getattr(error, "body", None))
    if 300 <= status < 400:
        target = (getattr(error, "headers", None) or {}).get("Location", "elsewhere")
        return _told(
            access,
            doing,
            f"it sends us to {_short(target)}",
            f"{_LOGIN}; or name that host",
            status,
        )
    what, fix = _ANSWERS.get(status, _other)(access, words, status)
    return _told(access, doing, what, fix, status)


_LOGIN = "If that is a login page, give KFP_TOKEN or KFP_COOKIE"
_WHERE = "Check --host; behind Kubeflow's dashboard the API is at HOST/pipeline"


def _told(access: Access, doing: str, what: str, fix: str, status: int = 0) -> KubeflowError:
    return KubeflowError(access.host, f"cannot {doing}: {what}", fix, status=status)


def _unreached(error: Exception, access: Access, doing: str) -> KubeflowError:
    cause = getattr(error, "reason", None) or error
    text = str(cause)
    if isinstance(cause, broken.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in text:
            why = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
            what = f"its certificate is not trusted{f' ({why})' if why else ''}"
            fix = "Give the certificate of its authority with --ca-file or KFP_CA_FILE"
        else:
            what, fix = "it does not speak TLS as we do", "Check http or https and the port"
    elif isinstance(cause, broken.NameResolutionError):
        what, fix = "its name is not known here", "Check --host and the network"
    elif isinstance(cause, broken.NewConnectionError):
        what, fix = "nothing answers there", "Check --host, its port and the network"
    elif isinstance(cause, broken.TimeoutError):
        what = f"no answer within {_waited(cause, access):g} s"
        fix = "Check --host and the network, or try again later"
    else:
        what, fix = "the connection broke", "Try again; if it stays, look at its log"
    return _told(access, doing, what, fix)


def _waited(cause: Exception, access: Access) -> float:
    early = isinstance(cause, broken.ConnectTimeoutError)
    return access.connect_seconds if early else access.read_seconds


def _words(body: object) -> str | None:
    """Return a server's own words; None for a page or nothing."""
    try:
        content = json.loads(body) if isinstance(body, str | bytes) else None
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    details = content.get("details")
    inner = details[0].get("message") if isinstance(details, list) and _first(details) else None
    said = inner or content.get("message") or content.get("error_message") or content.get("error")
    return _short(str(said)) if said else None


def _first(details: list[Any]) -> bool:
    return bool(details) and isinstance(details[0], dict)


def _short(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _unknown(access: Access, words: str | None, status: int) -> tuple[str, str]:
    del words, status
    if access.token is None and access.cookie is None:
        return "it asks who we are (401)", "Give a token (KFP_TOKEN, --token-file) or KFP_COOKIE"
    place = " and ".join(s.place for s in (access.token, access.cookie) if s is not None)
    return f"it does not accept what is in {place} (401); it may have expired", "Get a new one"


def _forbidden(access: Access, words: str | None, status: int) -> tuple[str, str]:
    del status
    where = f" in namespace {access.namespace}" if access.namespace else ""
    fix = "Ask for the right" if access.namespace else "Ask for the right, or name a --namespace"
    return f"this account may not{where} (403){_and(words)}", fix


def _missing(access: Access, words: str | None, status: int) -> tuple[str, str]:
    del access, status
    if words is None or words == "Not Found":
        return "there is no API v2beta1 at this address (404)", _WHERE
    return f"not found (404){_and(words)}", "Check the name or id, and the --namespace"


def _conflict(access: Access, words: str | None, status: int) -> tuple[str, str]:
    del access, status
    return f"there is one already (409){_and(words)}", "Look at the server's pages"


def _busy(access: Access, words: str | None, status: int) -> tuple[str, str]:
    del access, words, status
    return "it is asked too much (429)", "Try again later"


def _other(access: Access, words: str | None, status: int) -> tuple[str, str]:
    del access
    if status >= 500:
        fix = "Try again later; if it stays, read the log of its pod ml-pipeline"
        return f"it broke ({status}){_and(words)}", fix
    return f"it refuses ({status}){_and(words)}", "Mend what it names"


_ANSWERS: dict[int, Callable[[Access, str | None, int], tuple[str, str]]] = {
    401: _unknown,
    403: _forbidden,
    404: _missing,
    409: _conflict,
    429: _busy,
}


def _and(words: str | None) -> str:
    return f": {words}" if words else ""
