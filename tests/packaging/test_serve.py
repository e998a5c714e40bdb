"""A service is not started where another program listens."""

import socket

import pytest

from shopguide.errors import ShopguideError
from shopguide.packaging import refuse_busy_port
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
