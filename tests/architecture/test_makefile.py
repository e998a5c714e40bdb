"""`make run` hands on what was asked, and nothing that the spec does not know."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ([], "--spec specs/complete_journey.yaml --out runs/complete_journey"),
        (["SPEC=specs/rees46.yaml"], "--spec specs/rees46.yaml --out runs/rees46"),
        (["PROFILE=full"], "--spec specs/complete_journey.yaml --profile full --out runs/compl"),
    ],
)
def test_a_profile_is_passed_only_when_it_is_named(given: list[str], options: str) -> None:
    done = subprocess.run(
        ["make", "-n", "run", *given], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert options in " ".join(done.stdout.split())
