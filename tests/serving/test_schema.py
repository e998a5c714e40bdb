"""Whatever schemathesis makes of the service's own document is answered, and never by a 5xx."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.live import Live

pytestmark = [pytest.mark.slow, pytest.mark.service]


def test_generated_requests_get_answers_of_the_documented_form(live: Live, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"http://127.0.0.1:{live.port}/openapi.json",
            *("--max-examples", "40", "--seed", "7", "--request-timeout", "20"),
            *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
            "--no-color",
        ],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    metrics = live.ask("/metrics")[1]
    for path in ("/rank", "/predict", "/explain", "/feedback"):
        assert f'shopguide_refused_total{{api="{path}",status="400"}}' in metrics, "it was asked"
    assert 'status="503"' not in metrics
    assert live.ask("/readyz")[0] == 200


def test_no_refusal_has_another_shape(live: Live) -> None:
    for path in ("/rank", "/predict", "/explain", "/feedback"):
        for body in (b"{}", b"[]", b"\x00", b'{"a": ' * 30, json.dumps({"x": 1}).encode()):
            status, answer = live.ask(path, body)
            assert status == 400
            assert set(answer) == {"error"}
            assert {"path", "message"} <= set(answer["error"]) <= {"path", "message", "also"}
