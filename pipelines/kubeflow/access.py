"""Where a Kubeflow Pipelines server is, and what shows it who asks, which is never printed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from shopguide.errors import ShopguideError

POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
"""Where Kubernetes puts a pod's token for Kubeflow Pipelines, and renews it."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A token or a cookie: its place is known, its text is read anew each time it is needed.

    Args:
        name: of what it is, for messages.
        file: that holds it; renewed ones are seen.
        variable: environment variable that holds it.
    """

    name: str
    file: Path | None = None
    variable: str | None = None

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return str(self.file or self.variable)

    def read(self) -> str:
        """Return it.

        Raises:
            ShopguideError: it is not there, is empty, or could not stand in a header.
        """
        try:
            text = (
                self.file.read_text(encoding="utf-8")
                if self.file is not None
                else os.environ.get(self.variable or "", "")
            ).strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "is not text"
            fix = f"Name a file with the {self.name}"
            raise ShopguideError(self.place, f"cannot be read: {why}", fix) from None
        if not text or not text.isprintable() or not text.isascii():
            what = (
                f"holds no {self.name}" if not text else f"is no {self.name}: it has odd characters"
            )
            raise ShopguideError(self.place, what, f"Write the {self.name} on one line")
        return text


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one server.

    Args:
        host: its address, with http or https, as people open it; Kubeflow's dashboard has it
            at `/pipeline`.
        namespace: of the user; None where the server has no users.
        token: bearer token; None sends none.
        cookie: of a session, as Dex gives it; None sends none.
        ca_file: certificates to trust instead of the usual ones (PEM).
        connect_seconds: patience until a connection stands, s.
        read_seconds: patience until it answers, s.
        retries: how often a question that changes nothing is asked again.
        backoff: pause before the second retry, s; it doubles.
    """

    host: str
    namespace: str | None = None
    token: Secret | None = field(default=None, repr=False)
    cookie: Secret | None = field(default=None, repr=False)
    ca_file: Path | None = None
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    retries: int = 5
    backoff: float = 0.5


def find_access(
    host: str | None,
    *,
    namespace: str | None = None,
    token_file: Path | None = None,
    cookie_file: Path | None = None,
    ca_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Access:
    """Return the access that options and environment describe.

    A token comes from `token_file`, KFP_TOKEN, the file in KF_PIPELINES_SA_TOKEN_PATH, or, within
    a pod that has one, `POD_TOKEN`; a cookie from `cookie_file` or KFP_COOKIE.

    Args:
        host: address of the server.
        namespace: of the user.
        token_file: file with a bearer token.
        cookie_file: file with a cookie, NAME=VALUE.
        ca_file: certificates to trust.
        environment: variables.

    Raises:
        ShopguideError: no host is named, it is no address, or a named file is not there.
    """
    if ca_file is not None and not ca_file.is_file():
        raise ShopguideError(f"--ca-file {ca_file}", "no such file", "Name a file of certificates")
    access = Access(
        host=_address(host),
        namespace=namespace,
        token=_token(token_file, environment),
        cookie=_secret("cookie", cookie_file, "KFP_COOKIE", environment),
        ca_file=ca_file,
    )
    for secret in filter(None, (access.token, access.cookie)):
        secret.read()
    return access


def _address(host: str | None) -> str:
    if not host:
        raise ShopguideError(
            "--host", "no server is named", "Give --host https://… or set KFP_HOST"
        )
    try:
        parts = urlsplit(host)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = None
    if not valid or any(c.isspace() for c in host):
        raise ShopguideError(
            "--host", "is no address", "Write it as https://NAME or http://NAME:PORT"
        )
    if parts.username or parts.password or parts.query:
        raise ShopguideError(
            "--host",
            "holds more than an address",
            "Write no user, password or question into it; a token goes into KFP_TOKEN or a file",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _token(file: Path | None, environment: Mapping[str, str]) -> Secret | None:
    found = _secret("token", file, "KFP_TOKEN", environment)
    if found is not None:
        return found
    named = environment.get("KF_PIPELINES_SA_TOKEN_PATH")
    path = Path(named) if named else POD_TOKEN
    return Secret("token", file=path) if named or path.is_file() else None


def _secret(
    name: str, file: Path | None, variable: str, environment: Mapping[str, str]
) -> Secret | None:
    if file is not None:
        return Secret(name, file=file)
    return Secret(name, variable=variable) if environment.get(variable) else None
