"""What tests of several rooms need."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def complete_journey_spec() -> Path:
    """Path of the default spec."""
    return ROOT / "specs" / "complete_journey.yaml"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the project; its tests are skipped where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no data folder beside the project")
    return folder
