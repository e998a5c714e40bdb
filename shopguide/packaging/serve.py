"""Serve a Bento of a home in the foreground."""

import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from shopguide.errors import ShopguideError
from shopguide.packaging.build import bento_environment, bento_store, bentoml_command
from shopguide.spec import Spec
from shopguide.spec.serving import ALLOW_OPEN, API_KEY, API_KEY_FILE


def refuse_busy_port(host: str, port: int) -> None:
    """Refuse an address that the service could not listen on.

    Raises:
        ShopguideError: another program listens there, or it is no address of this machine.
    """
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ShopguideError(
            f"{host}:{port}",
            f"cannot be listened on: {error.strerror}",
            "Stop what listens there, or name another with --port or --host",
        ) from None


def refuse_open(host: str, environment: Mapping[str, str]) -> None:
    """Refuse to listen for everybody where no key is asked; the service itself refuses it too.

    Args:
        host: address to listen on.
        environment: of the service.

    Raises:
        ShopguideError: the address is outside loopback, and there is no key.
    """
    keyed = any(environment.get(name, "").strip() for name in (API_KEY, API_KEY_FILE))
    if keyed or environment.get(ALLOW_OPEN) == "1":
        return
    addresses = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    if not all(ipaddress.ip_address(str(one).partition("%")[0]).is_loopback for one in addresses):
        raise ShopguideError(
            f"--host {host}",
            "is outside loopback and the service has no key: everybody could ask it",
            f"Set {API_KEY} or {API_KEY_FILE}, or give --allow-open where something before the "
            "service checks who asks",
        )


def serve(spec: Spec, tag: str, *, host: str = "127.0.0.1", port: int | None = None) -> None:
    """Replace this process by the service of a Bento.

    Args:
        spec: reads `home` and `serving.port`.
        tag: of the Bento, in the store of the home.
        host: address to listen on; the loopback one unless asked otherwise.
        port: None takes the spec's.

    Raises:
        ShopguideError: the store has no such Bento.
    """
    store = bento_store(spec)
    name, _, version = tag.partition(":")
    if not (store / "bentos" / name / version).is_dir():
        raise ShopguideError(
            f"Bento {tag}", f"not in the store {store}", "Package the champion's bundle again"
        )
    home = {"SHOPGUIDE_HOME": str(Path(spec.home).resolve())}
    command = bentoml_command(
        "serve", tag, "--host", host, "--port", str(port or spec.serving.port)
    )
    os.execvpe(command[0], command, bento_environment(store) | home)  # noqa: S606 - no shell, on purpose
