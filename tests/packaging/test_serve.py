"""A service is not started where another program listens."""

import socket

import pytest

from shopguide.errors import ShopguideError
from shopguide.packaging import refuse_busy_port, refuse_open
from shopguide.packaging.process import HOST, free_port


def test_a_busy_port_is_said_before_anything_is_started() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ShopguideError, match="Address already in use") as caught:
            refuse_busy_port(HOST, port)
    assert str(caught.value).startswith(f"{HOST}:{port}: cannot be listened on")
    assert caught.value.exit_code == 2


def test_a_free_port_is_fine_and_a_foreign_address_is_not() -> None:
    refuse_busy_port(HOST, free_port())
    with pytest.raises(ShopguideError, match="cannot be listened on"):
        refuse_busy_port("192.0.2.1", free_port())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104
def test_nobody_listens_for_everybody_without_a_key_or_a_word(host: str) -> None:
    with pytest.raises(ShopguideError, match="everybody could ask it") as caught:
        refuse_open(host, {})
    assert "--allow-open" in str(caught.value)
    for name in ("SHOPGUIDE_API_KEY", "SHOPGUIDE_API_KEY_FILE", "SHOPGUIDE_ALLOW_OPEN"):
        refuse_open(host, {name: "1"})
        with pytest.raises(ShopguideError, match="everybody could ask it"):
            refuse_open(host, {name: "  "})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_needs_no_key(host: str) -> None:
    refuse_open(host, {})
