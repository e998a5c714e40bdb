"""A real export of a shop: cut off in its last row, with duplicates and 64-bit ids."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shopguide.errors import ShopguideError
from shopguide.logs import prepare_logs
from shopguide.spec import load_spec

Prepared = Any
SPEC = Path(__file__).parents[2] / "specs" / "rees46.yaml"

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def export(shared_data: Path) -> Path:
    return shared_data / "rees46" / "2019-Oct.csv.gz"


@pytest.fixture(scope="module")
def log(
    export: Path, opened: Callable[..., Prepared], tmp_path_factory: pytest.TempPathFactory
) -> Prepared:
    folder = tmp_path_factory.mktemp("rees46") / "log"
    return opened(folder, prepare_logs(load_spec(SPEC, overrides=[f"data.path={export}"]), folder))


def test_every_whole_row_is_an_event_once(log: Prepared) -> None:
    assert log.rows("SELECT count(*) FROM events") == [(17_434 - 5,)]
    assert log.summary.dropped == {"unusable, too few fields": 1, "duplicates": 5}
    assert log.rows("SELECT count(*) FROM events WHERE kind = 'purchase'") == [(214,)]


def test_the_row_that_was_cut_off_is_no_user(log: Prepared, export: Path) -> None:
    assert log.rows("SELECT count(*) FROM users WHERE user_id = '52040330'") == [(0,)]
    assert log.rows("SELECT count(*) FROM users") == [(4_504,)]
    assert len(log.summary.examples) == 1
    assert log.summary.examples[0].startswith(f"{export}, row 17436: too few fields: '2019-10-01")


def test_a_cut_off_row_is_refused_unless_it_is_allowed(export: Path, tmp_path: Path) -> None:
    strict = load_spec(SPEC, overrides=[f"data.path={export}", "data.max_bad_share=0"])
    with pytest.raises(ShopguideError) as caught:
        prepare_logs(strict, tmp_path / "log")
    assert caught.value.where == f"{export}, row 17436"
    assert caught.value.what.startswith("too few fields")
    assert caught.value.fix == "Mend the row, or leave it out"
    assert list(tmp_path.iterdir()) == []


def test_ids_beyond_float64_keep_all_digits(log: Prepared) -> None:
    [(shortest, longest, categories)] = log.rows(
        "SELECT min(length(category)), max(length(category)), count(DISTINCT category) FROM items"
    )
    assert (shortest, longest) == (19, 19)  # 2.1e18; float64 has 15 to 17 digits
    assert 400 <= categories <= 434  # of 434: an item keeps the one last seen
    assert log.rows("SELECT category FROM items WHERE item_id = '44600062'") == [
        ("2103807459595387724",)
    ]


def test_a_session_that_two_users_share_is_two_requests(log: Prepared) -> None:
    shared = log.rows(
        "SELECT basket_id, count(DISTINCT user_id) FROM events WHERE kind = 'view' "
        "GROUP BY basket_id HAVING count(DISTINCT user_id) > 1"
    )
    assert shared
    for session, users in shared:
        requests = log.rows(
            f"SELECT count(DISTINCT request_id), count(DISTINCT user_id) FROM impressions "  # noqa: S608 - a session of the log
            f"WHERE ends_with(request_id, ':{session}')"
        )
        assert requests == [(users, users)]


def test_every_viewed_pair_is_shown_and_every_bought_pair_was(log: Prepared) -> None:
    assert log.rows("SELECT count(DISTINCT (user_id, item_id)) FROM impressions") == [(12_107,)]
    assert log.rows(
        "SELECT count(*) FROM (SELECT DISTINCT user_id, item_id FROM events "
        "WHERE kind = 'purchase') ANTI JOIN impressions USING (user_id, item_id)"
    ) == [(0,)]
    assert log.summary.notes[1:] == (
        "2 other events come before the first impression of their user and item, and are no "
        "outcome of any.",
    )


def test_prices_are_those_of_the_file(log: Prepared) -> None:
    [(mean, median, largest)] = log.rows(
        "SELECT avg(value), median(value), max(value) FROM events WHERE kind = 'purchase'"
    )
    assert mean == pytest.approx(277.77, abs=0.005)
    assert median == pytest.approx(166.785)  # halfway between the two in the middle
    assert largest == 1747.79
