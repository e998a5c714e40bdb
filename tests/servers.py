"""Real server programs for tests, on loopback ports of their own."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest


class RedisServer:
    """A redis-server that can be killed, frozen and started again on its port; it keeps nothing.

    Args:
        folder: its working directory.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("there is no redis-server on this machine")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._command = [
            program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", str(folder),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def connection(self) -> str:
        """Where it is, as Feast writes it."""
        return f"127.0.0.1:{self.port},db=0"

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as asked:
                    asked.sendall(b"PING\r\n")
                    if asked.recv(16).startswith(b"+PONG"):
                        return
            except OSError:
                time.sleep(0.05)
        msg = "redis-server did not answer"
        raise AssertionError(msg)

    def kill(self) -> None:
        """Kill it as the kernel would: at once, with all that it holds."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop it from answering; connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class PostgresServer:
    """A PostgreSQL server with an empty database; it cannot run as root, so it runs as postgres.

    Args:
        folder: of its files; made.
    """

    def __init__(self, folder: Path) -> None:
        programs = {name: _postgres_program(name) for name in ("initdb", "postgres")}
        if None in programs.values():
            pytest.skip("there is no PostgreSQL server on this machine")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        folder.mkdir()
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            if shutil.which("runuser") is None:
                pytest.skip("PostgreSQL does not run as root, and there is no runuser")
            self._as_user = ["runuser", "-u", "postgres", "--"]
            shutil.chown(folder, "postgres")
        data = str(folder / "data")
        self._run([str(programs["initdb"]), "-D", data, "-U", "tester", "-A", "trust", "-N"])
        sockets = ["-k", str(folder), "-c", "fsync=off"]
        command = [str(programs["postgres"]), "-D", data, "-p", str(self.port), *sockets]
        self._process = subprocess.Popen(
            [*self._as_user, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()

    @property
    def url(self) -> str:
        """Where its database is."""
        return f"postgresql://tester:none@127.0.0.1:{self.port}/postgres"

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(20)

    def _run(self, command: list[str]) -> None:
        subprocess.run([*self._as_user, *command], check=True, capture_output=True, cwd="/")

    def _wait(self) -> None:
        import psycopg

        end = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                assert time.monotonic() < end, "PostgreSQL did not answer"
                time.sleep(0.1)
            else:
                return


def _postgres_program(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def open_to_all(folder: Path) -> Path:
    """Let another user come to a temporary folder of pytest's, which are closed to others."""
    for path in (folder, *folder.parents):
        if path.name.startswith("pytest-of-"):
            path.chmod(0o755)
            break
        path.chmod(0o755)
    return folder
