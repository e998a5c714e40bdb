"""Two services of one Bento store count apart."""

from pathlib import Path

import pytest

from serving.metrics_folder import OURS, THEIRS, count_apart
from tests.serving.live import Live, started


def _answers(service: Live) -> float:
    text = service.ask("/metrics")[1]
    lines = [line for line in text.splitlines() if line.startswith("shopguide_answers_total")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.parametrize("name", ["/x/bin/bentoml", "/x/bentoml/__main__.py"])
def test_serve_makes_a_folder_that_its_workers_take_over(name: str) -> None:
    environment = {THEIRS: "/shared"}
    count_apart(environment, [name, "serve", "shop:1"])
    made = environment[OURS]
    assert Path(made).is_dir()
    count_apart(environment, ["worker.py", "--worker-id", "1"])
    assert environment[THEIRS] == environment[OURS] == made
    count_apart(environment, [name, "serve", "shop:1"])
    assert environment[OURS] != made, "a service that was started by another has its own"


def test_a_program_that_serves_nothing_makes_no_folder() -> None:
    environment: dict[str, str] = {}
    count_apart(environment, ["/x/bin/pytest", "tests/serve"])
    assert environment == {}


@pytest.mark.slow
@pytest.mark.service
def test_a_second_service_of_the_store_leaves_the_counters_of_the_first(
    tiny: Path, tmp_path: Path
) -> None:
    shared = {"BENTOML_HOME": str(tmp_path / "bentoml"), "TMPDIR": str(tmp_path)}
    rank = {"user_id": "u", "items": ["a"]}
    with started(tiny, tmp_path / "home", shared) as first:
        assert first.ask("/rank", rank)[0] == 200
        assert _answers(first) == 1
        with started(tiny, tmp_path / "home", shared) as second:
            assert _answers(first) == 1
            assert _answers(second) == 0
            assert len(list(tmp_path.glob("shopguide-metrics-*"))) == 2
            assert first.ask("/rank", rank)[0] == 200
            assert _answers(first) == 2
        assert _answers(first) == 2
    assert list(tmp_path.glob("shopguide-metrics-*")) == [], "removed at the end"
