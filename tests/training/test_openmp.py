"""Threads look for work before they sleep only where nothing else runs."""

import os
import subprocess
import sys

from shopguide.training._openmp import waiting

SHOWN = "import os, shopguide.training; print(os.environ.get('GOMP_SPINCOUNT'))"


def test_threads_look_for_work_only_on_an_idle_machine() -> None:
    assert int(waiting(busy_percent=5)["GOMP_SPINCOUNT"]) > 0
    assert int(waiting(busy_percent=60)["GOMP_SPINCOUNT"]) == 0
    assert waiting(busy_percent=5)["OMP_WAIT_POLICY"] == "PASSIVE"


def test_what_the_user_says_of_waiting_stands() -> None:
    own = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    for given, expected in (
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "None"),
        ({"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7"}, "7"),
    ):
        command = [sys.executable, "-c", SHOWN]
        done = subprocess.run(command, env=own | given, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
