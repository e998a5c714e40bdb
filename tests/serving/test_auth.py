"""Who is let in, and that a service without a key does not listen for everybody."""

import socket
from pathlib import Path

import pytest

from serving.auth import is_loopback, keys_of, listening, require_key_outside
from serving.errors import RefusedError
from shopguide.errors import ShopguideError
from shopguide.spec.serving import ALLOW_OPEN as OPEN
from shopguide.spec.serving import API_KEY as KEY
from shopguide.spec.serving import API_KEY_FILE as KEY_FILE

A, B = "a" * 32, "b" * 32


def test_without_keys_everybody_on_this_machine_is_let_in() -> None:
    keys = keys_of({KEY: "  "})
    assert keys.client({}) is None
    keys.admit("127.0.0.1")
    keys.admit("::1")
    keys.admit(None)


def test_without_keys_nobody_from_outside_is_let_in() -> None:
    with pytest.raises(RefusedError) as caught:
        keys_of({}).admit("10.0.0.5")
    assert caught.value.status == 503
    assert KEY in caught.value.message


def test_the_key_of_the_environment_and_those_of_the_file_are_let_in(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{A}\n\n{B}\n")
    keys = keys_of({KEY: "c" * 32, KEY_FILE: str(file)})
    names = {keys.client({b"authorization": f"Bearer {one}".encode()}) for one in (A, B, "c" * 32)}
    assert len(names) == 3
    assert keys.client({b"x-api-key": A.encode()}) in names
    assert not any(one in str(keys) for one in (A, B)), "no key can be printed by mistake"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"authorization": b"Bearer "},
        {b"authorization": b"Bearer " + B.encode()},
        {b"authorization": b"Basic " + A.encode()},
        {b"authorization": A.encode()},
        {b"x-api-key": A[:-1].encode()},
        {b"x-api-key": A.encode() + b"\xff"},
    ],
)
def test_another_key_is_refused_and_not_repeated(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(RefusedError) as caught:
        keys_of({KEY: A}).client(headers)
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"] == "Bearer"
    assert B not in str(caught.value)


@pytest.mark.parametrize("key", ["short", "with a space in it", "ümlaut-ümlaut-ümlaut", "x" * 15])
def test_a_key_that_could_be_guessed_or_not_be_sent_is_refused(key: str) -> None:
    with pytest.raises(ShopguideError) as caught:
        keys_of({KEY: key})
    assert key not in str(caught.value)


def test_a_file_without_keys_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for name, said in (("empty", "holds no key"), ("none", "No such file")):
        with pytest.raises(ShopguideError, match=said):
            keys_of({KEY_FILE: str(tmp_path / name)})


def test_listening_outside_asks_for_a_key_or_a_word() -> None:
    with pytest.raises(ShopguideError, match=OPEN):
        require_key_outside(keys_of({}), ["0.0.0.0"])  # noqa: S104
    for environment in ({KEY: A}, {OPEN: "1"}):
        require_key_outside(keys_of(environment), ["0.0.0.0", "10.1.1.1"])  # noqa: S104
    require_key_outside(keys_of({}), ["127.0.0.1", "::1"])


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("192.168.1.2", False),
        ("fe80::1%eth0", False),
        ("shop.example", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(address: str, inside: bool) -> None:
    assert is_loopback(address) is inside


def test_the_address_of_a_worker_is_that_of_its_socket() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert listening(["worker", "--fd", str(server.fileno())]) == ["127.0.0.1"]
        server.getsockname()
    assert listening(["pytest"]) == []
    assert listening(["worker", "--fd", "99999"]) == []
