"""Every way in which a server can let us down is one line that says what to do."""

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.kubeflow.access import find_access
from pipelines.kubeflow.client import Kubeflow
from pipelines.kubeflow.refusals import KubeflowError
from pipelines.kubeflow.watch import get_run
from shopguide.errors import ShopguideError
from tests.pipelines.conftest import Verb
from tests.pipelines.loopback import Answer, Loopback

PAGE = {"Content-Type": "text/html"}
SUBMIT = ("submit", "--param", "spec_text=x")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(401, '{"code": 16}'), "it asks who we are (401). Give a token"),
        (
            Answer(403, '{"message": "User is not allowed"}'),
            "this account may not (403): User is not allowed. Ask for the right",
        ),
        (Answer(404, "404 page not found"), "there is no API v2beta1 at this address (404)"),
        (Answer(400, '{"message": "Invalid input error: x"}'), "it refuses (400): Invalid input"),
        (Answer(500, times=9), "it broke (500): planted. Try again later"),
        (Answer(503, "<html>busy</html>", PAGE, times=9), "it broke (503). Try again later"),
        (Answer(429, times=9), "it is asked too much (429)"),
        (Answer(200, "<html>log in</html>", PAGE), "it answers with a web page, not with the API"),
        (
            Answer(302, "", {"Location": "https://dex.example/auth?state=1"}),
            "it sends us to https://dex.example/auth?state=1. If that is a login page",
        ),
        (Answer(200, '{"runs": [{"created_at": "soon"}]}'), "the answer is not of API v2beta1"),
        (Answer(0, times=9), "the connection broke"),
        (Answer(500, b"\xff\xfe", PAGE, times=9), "it answers with something that is no text"),
    ],
)
@pytest.mark.usefixtures("hurried")
def test_an_answer_is_explained(
    loopback: Loopback, verb: Verb, answer: Answer, message: str
) -> None:
    loopback.planted.append(answer)
    done = verb("status", "--host", loopback.host)
    assert done.code == 2
    assert f"Kubeflow {loopback.host}: cannot list runs: {message}" in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 0])
@pytest.mark.usefixtures("hurried")
def test_a_question_is_asked_again_and_a_command_is_not(
    loopback: Loopback, verb: Verb, status: int
) -> None:
    loopback.planted.append(Answer(status, fits="GET /apis/v2beta1/experiments", times=3))
    assert verb(*SUBMIT, "--host", loopback.host).code == 0
    assert loopback.count("GET /apis/v2beta1/experiments") == 4
    loopback.planted.append(Answer(status, fits="POST /apis/v2beta1/runs", times=3))
    assert verb(*SUBMIT, "--host", loopback.host).code == 2
    assert loopback.count("POST /apis/v2beta1/runs") == 2


@pytest.mark.usefixtures("hurried")
def test_nobody_there(verb: Verb) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = verb(*SUBMIT, "--host", f"http://localhost:{port}")
    assert done.code == 2
    assert "cannot look for the pipeline: nothing answers there" in done.err
    done = verb(*SUBMIT, "--host", "http://no-such-host.invalid")
    assert "its name is not known here" in done.err


def test_a_server_that_hangs_is_left() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        access = find_access(f"http://127.0.0.1:{mute.getsockname()[1]}")
        server = Kubeflow(replace(access, read_seconds=0.2, retries=1))
        with pytest.raises(KubeflowError, match=r"cannot read run r: no answer within 0.2 s"):
            get_run(server, "r")


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (None, "--host: no server is named. Give --host https://… or set KFP_HOST"),
        ("kubeflow.example", "--host: is no address"),
        ("http://a b", "--host: is no address"),
        ("http://user:pa55@h", "--host: holds more than an address"),
        ("http://[::1", "--host: is no address"),
    ],
)
def test_an_address_is_checked(verb: Verb, host: str | None, message: str) -> None:
    done = verb(*SUBMIT, *(["--host", host] if host else []))
    assert done.code == 2
    assert message in done.err
    assert "pa55" not in done.err


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Loopback, Path]]:
    """A server with a certificate of its own."""
    key, certificate, both = (tmp_path / name for name in ("key.pem", "cert.pem", "both.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    folder = tmp_path / "secured"
    folder.mkdir()
    with Loopback(folder, certificate=both) as server:
        yield server, certificate


def test_a_certificate_is_trusted_or_named(secured: tuple[Loopback, Path], verb: Verb) -> None:
    server, certificate = secured
    done = verb("status", "--host", server.host)
    assert done.code == 2
    assert "its certificate is not trusted (self-signed certificate)" in done.err
    assert "--ca-file or KFP_CA_FILE" in done.err
    assert verb("status", "--host", server.host, "--ca-file", str(certificate)).code == 0
    done = verb("status", "--host", server.host, "--ca-file", "/nowhere.pem")
    assert "--ca-file /nowhere.pem: no such file" in done.err


def test_https_where_http_is_spoken(loopback: Loopback, verb: Verb) -> None:
    done = verb("status", "--host", loopback.host.replace("http:", "https:"))
    assert done.code == 2
    assert "it does not speak TLS as we do" in done.err


def test_a_token_comes_from_where_it_is_safe(
    tmp_path: Path, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server").mkdir()
    file = tmp_path / "token"
    with Loopback(tmp_path / "server", token="s3cret-token") as server:  # noqa: S106 - of a test
        assert "it asks who we are (401)" in verb("status", "--host", server.host).err
        file.write_text("expired\n")
        arguments = ("status", "--host", server.host, "--token-file", str(file))
        done = verb(*arguments)
        assert (done.code, f"does not accept what is in {file} (401)" in done.err) == (2, True)
        assert "expired\n" not in done.err
        file.write_text("s3cret-token\n")
        assert verb(*arguments).code == 0
        monkeypatch.setenv("KFP_TOKEN", "s3cret-token")
        assert verb("status", "--host", server.host).code == 0
        monkeypatch.delenv("KFP_TOKEN")
        monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(file))  # as kfp's own client does
        assert verb("status", "--host", server.host).code == 0
        file.write_text("two\nlines")
        assert f"{file}: is no token" in verb("status", "--host", server.host).err
        file.unlink()
        assert f"{file}: cannot be read" in verb("status", "--host", server.host).err


def test_a_pod_shows_its_own_token(
    tmp_path: Path, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = tmp_path / "token"
    pod.write_text("of-the-pod")
    monkeypatch.setattr("pipelines.kubeflow.access.POD_TOKEN", pod)
    with Loopback(tmp_path, token="of-the-pod") as server:  # noqa: S106
        assert verb("status", "--host", server.host).code == 0


def test_a_session_of_dex_is_a_cookie(
    tmp_path: Path, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(tmp_path, cookie="authservice_session=abc") as server:
        assert verb("status", "--host", server.host).code == 2
        monkeypatch.setenv("KFP_COOKIE", "authservice_session=abc")
        assert verb("status", "--host", server.host).code == 0
        monkeypatch.setenv("KFP_COOKIE", "authservice_session=old")
        done = verb("status", "--host", server.host)
    assert "does not accept what is in KFP_COOKIE (401)" in done.err
    assert "session=old" not in done.err


def test_a_secret_is_in_no_message_and_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFP_TOKEN", "s3cret")
    assert "s3cret" not in repr(find_access("https://h"))
    monkeypatch.setenv("KFP_TOKEN", "s3cret\x07")
    with pytest.raises(ShopguideError, match="KFP_TOKEN: is no token") as error:
        find_access("https://h")
    assert "s3cret" not in str(error.value)
