"""Who may ask: keys from the environment or a file, and whether the service may do without."""

import hashlib
import hmac
import ipaddress
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from serving.errors import RefusedError
from shopguide.errors import ShopguideError
from shopguide.spec.serving import ALLOW_OPEN, API_KEY, API_KEY_FILE

_SHORTEST = 16  # characters of a key


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that are let in.

    Args:
        digests: SHA-256 of each; none: everybody is let in.
        open_outside: without a key, whether others than this machine are let in.
    """

    digests: tuple[bytes, ...]
    open_outside: bool

    def client(self, headers: Mapping[bytes, bytes]) -> str | None:
        """Return a short name of the key that came with a request; None where none is asked.

        Every key is compared in full, in constant time, so that an answer's time tells nothing.

        Args:
            headers: of the request, names in lower case.

        Raises:
            RefusedError: no key, or another one; status 401.
        """
        if not self.digests:
            return None
        given = _given(headers)
        if given is None:
            raise _refused("no key; send `Authorization: Bearer KEY` or `X-API-Key: KEY`")
        digest = hashlib.sha256(given).digest()
        matches = [hmac.compare_digest(digest, one) for one in self.digests]
        if not any(matches):
            raise _refused("not a key of this service")
        return digest.hex()[:12]

    def admit(self, address: str | None) -> None:
        """Refuse a request that reached a service without keys from outside.

        Args:
            address: of this machine, that the request came in by.

        Raises:
            RefusedError: it is no loopback address, and nobody allowed that; status 503.
        """
        if not (self.digests or self.open_outside or is_loopback(address)):
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "header Authorization",
                "the service listens outside loopback and has no key: "
                f"set {API_KEY} or {API_KEY_FILE}",
            )


def keys_of(environment: Mapping[str, str]) -> Keys:
    """Read the keys of an environment.

    Raises:
        ShopguideError: the file cannot be read or is empty, or a key is too short to be one.
    """
    found = [environment[API_KEY].strip()] if environment.get(API_KEY, "").strip() else []
    file = environment.get(API_KEY_FILE, "")
    if file:
        try:
            lines = [line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            what = f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}"
            raise ShopguideError(f"{API_KEY_FILE} {file}", what, "Name a file of keys") from None
        in_file = [line for line in lines if line]
        if not in_file:
            raise ShopguideError(f"{API_KEY_FILE} {file}", "holds no key", "Put one on each line")
        found += in_file
    for key in found:
        if len(key) < _SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
            raise ShopguideError(
                API_KEY_FILE if file else API_KEY,
                f"a key has fewer than {_SHORTEST} characters, or others than printable ASCII",
                "Make one with `python -c 'import secrets; print(secrets.token_urlsafe(32))'`",
            )
    digests = tuple(hashlib.sha256(key.encode()).digest() for key in found)
    return Keys(digests, open_outside=environment.get(ALLOW_OPEN, "") == "1")


def require_key_outside(keys: Keys, addresses: Sequence[str]) -> None:
    """Refuse to listen for everybody without a key.

    Args:
        keys: of the service.
        addresses: that it listens on.

    Raises:
        ShopguideError: names the address and the ways out.
    """
    outside = [address for address in addresses if not is_loopback(address)]
    if outside and not keys.digests and not keys.open_outside:
        raise ShopguideError(
            f"{outside[0]}",
            "is outside loopback and the service has no key: everybody could ask it",
            f"Set {API_KEY} or {API_KEY_FILE}, or {ALLOW_OPEN}=1 where something before it "
            "checks who asks",
        )


def listening(arguments: Sequence[str] | None = None) -> list[str]:
    """Return the addresses that this worker of BentoML listens on; none if that cannot be told.

    BentoML opens the socket in its first process and hands workers the descriptor: `--fd N`.

    Args:
        arguments: of the process; None takes its own.
    """
    words = list(sys.argv if arguments is None else arguments)
    if "--fd" not in words[:-1]:
        return []
    try:
        descriptor = os.dup(int(words[words.index("--fd") + 1]))
        with socket.socket(fileno=descriptor) as probe:
            name = probe.getsockname()
    except (OSError, ValueError):
        return []
    return [str(name[0])] if isinstance(name, tuple) else []


def is_loopback(address: str | None) -> bool:
    """Tell whether only this machine can reach an address; a Unix socket has none."""
    if not address or address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _given(headers: Mapping[bytes, bytes]) -> bytes | None:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    return headers.get(b"x-api-key", b"").strip() or None


def _refused(message: str) -> RefusedError:
    headers = {"WWW-Authenticate": "Bearer"}
    status = HTTPStatus.UNAUTHORIZED
    return RefusedError(status, "header Authorization", message, headers=headers)
