"""`python -m pipelines schedule`: one recurring run of a name, whatever is typed how often."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.kubeflow.trigger import cron_of_six, seconds_of
from shopguide.errors import ShopguideError
from tests.pipelines.conftest import Done, Verb
from tests.pipelines.loopback import Answer, Loopback

Put = Callable[..., dict[str, Any]]
NIGHTLY = ("--cron", "30 3 * * *", "--param", "spec_text=x")


@pytest.fixture
def put(loopback: Loopback, verb: Verb) -> Put:
    """Return a function that schedules, and gives what `--json` said."""

    def run(*arguments: str) -> dict[str, Any]:
        done: Done = verb("schedule", "--host", loopback.host, "--json", *arguments)
        assert done.code == 0, done.err
        told: dict[str, Any] = json.loads(done.out)
        return told

    return run


def only(server: Loopback) -> dict[str, Any]:
    (found,) = server.recurring.values()
    return found


def test_a_schedule_runs_one_at_a_time_and_makes_up_for_the_latest_alone(
    loopback: Loopback, put: Put
) -> None:
    told = put(*NIGHTLY)
    assert (told["change"], told["name"], told["paused"]) == ("created", "train-and-promote", False)
    made = only(loopback)
    assert made["recurring_run_id"] == told["recurring_run_id"]
    assert (made["max_concurrency"], made["no_catchup"], made["mode"]) == ("1", True, "ENABLE")
    assert made["trigger"] == {"cron_schedule": {"cron": "0 30 3 * * *"}}


def test_no_step_of_a_schedule_is_cached(loopback: Loopback, put: Put) -> None:
    """Each night has the same parameters, and other data."""
    put(*NIGHTLY)
    (version,) = loopback.versions.values()
    assert "enableCache" not in json.dumps(version["pipeline_spec"])


def test_the_same_again_changes_nothing(loopback: Loopback, put: Put) -> None:
    first = put(*NIGHTLY, "--start", "2026-01-01", "--end", "2027-01-01")
    before = len(loopback.asked)
    again = put(*NIGHTLY, "--start", "2026-01-01", "--end", "2027-01-01")
    assert (again["change"], again["recurring_run_id"]) == ("unchanged", first["recurring_run_id"])
    assert all(question.startswith("GET ") for question in loopback.asked[before:])


@pytest.mark.parametrize(
    "change",
    [
        ("--cron", "45 3 * * *", "--param", "spec_text=x"),
        ("--every", "6h", "--param", "spec_text=x"),
        ("--cron", "30 3 * * *", "--param", "spec_text=y"),
        (*NIGHTLY, "--catch-up"),
        (*NIGHTLY, "--end", "2099-01-01"),
        (*NIGHTLY, "--pipeline-root", "s3://bucket/x"),
    ],
)
def test_a_change_takes_the_place_of_what_was(
    loopback: Loopback, put: Put, change: tuple[str, ...]
) -> None:
    first = put(*NIGHTLY)
    told = put(*change)
    assert told["change"] == "updated"
    assert only(loopback)["recurring_run_id"] != first["recurring_run_id"]
    assert only(loopback)["mode"] == "ENABLE"


def test_pausing_and_going_on_keep_the_schedule(loopback: Loopback, put: Put) -> None:
    first = put(*NIGHTLY)
    assert put(*NIGHTLY, "--pause")["change"] == "paused"
    assert only(loopback)["mode"] == "DISABLE"
    assert put(*NIGHTLY, "--pause")["change"] == "unchanged"
    assert put(*NIGHTLY)["change"] == "resumed"
    assert only(loopback)["recurring_run_id"] == first["recurring_run_id"]


def test_names_stand_beside_each_other(loopback: Loopback, put: Put) -> None:
    put(*NIGHTLY)
    put(*NIGHTLY, "--name", "weekly")
    assert len(loopback.recurring) == 2
    assert put("--delete", "--name", "weekly") == {"name": "weekly", "deleted": 1}
    assert put("--delete", "--name", "weekly") == {"name": "weekly", "deleted": 0}
    assert only(loopback)["display_name"] == "train-and-promote"
    assert put("--delete", "--experiment", "no such")["deleted"] == 0
    assert len(loopback.experiments) == 1


def test_two_of_a_name_become_one(loopback: Loopback, put: Put) -> None:
    put(*NIGHTLY)
    twin = {k: v for k, v in only(loopback).items() if k not in ("recurring_run_id", "created_at")}
    loopback.create_recurring(twin)
    assert put(*NIGHTLY)["change"] == "updated"
    assert only(loopback)["mode"] == "ENABLE"


def test_a_schedule_is_not_pulled_from_under_its_run(loopback: Loopback, verb: Verb) -> None:
    arguments = ("schedule", "--host", loopback.host, "--param", "spec_text=x")
    assert verb(*arguments, "--every", "1d").code == 0
    run = loopback.fire(only(loopback)["recurring_run_id"])
    run["state"] = "RUNNING"
    for change in (("--every", "2d"), ("--delete",)):
        done = verb(*arguments, *change)
        assert done.code == 2
        assert f"its run {run['run_id']} is at work" in done.err
        assert only(loopback)["mode"] == "ENABLE"
        assert only(loopback)["trigger"]["periodic_schedule"]["interval_second"] == "86400"
    run["state"] = "SUCCEEDED"
    assert verb(*arguments, "--every", "2d").code == 0
    assert only(loopback)["trigger"]["periodic_schedule"]["interval_second"] == "172800"


def test_a_refused_change_leaves_the_schedule_at_work(loopback: Loopback, verb: Verb) -> None:
    arguments = ("schedule", "--host", loopback.host, "--param", "spec_text=x", "--cron")
    assert verb(*arguments, "30 3 * * *").code == 0
    done = verb(*arguments, "30 99 * * *")
    assert done.code == 2
    assert "it refuses (400): Failed: Schedule cron is not a supported format" in done.err
    assert (only(loopback)["mode"], only(loopback)["trigger"]["cron_schedule"]["cron"]) == (
        "ENABLE",
        "0 30 3 * * *",
    )


def test_a_change_that_was_cut_off_is_mended_by_the_next(loopback: Loopback, verb: Verb) -> None:
    arguments = ("schedule", "--host", loopback.host, "--param", "spec_text=x", "--every")
    assert verb(*arguments, "1d").code == 0
    loopback.planted.append(Answer(403, fits="DELETE "))
    assert verb(*arguments, "2d").code == 2
    assert [run["mode"] for run in loopback.recurring.values()] == ["DISABLE", "DISABLE"]
    assert verb(*arguments, "2d").code == 0
    assert only(loopback)["mode"] == "ENABLE"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--cron, --every: one of the two is wanted"),
        (("--cron", "@daily", "--every", "1d"), "--cron, --every: one of the two is wanted"),
        (("--cron", "3 * *"), "--cron '3 * *': is no time table"),
        (("--cron", "1 2 3 4 $x"), "is no time table"),
        (("--every", "often"), "--every 'often': is no length of time"),
        (("--every", "0s"), "--every '0s': is no length of time"),
        (("--every", "1d", "--start", "2026-02-01", "--end", "2026-01-01"), "is not after --start"),
        (("--every", "1d", "--param", "no=1"), "no such parameter"),
    ],
)
def test_a_wrong_schedule_is_refused_before_anything_is_sent(
    loopback: Loopback, verb: Verb, arguments: tuple[str, ...], message: str
) -> None:
    done = verb("schedule", "--host", loopback.host, "--param", "spec_text=x", *arguments)
    assert (done.code, loopback.asked) == (2, [])
    assert message in done.err


def test_five_fields_are_those_of_crontab() -> None:
    """Kubeflow itself would read 0 3 * * * as three past every hour."""
    assert cron_of_six("0 3 * * *") == "0 0 3 * * *"
    assert cron_of_six("15 0 3 * * MON-FRI") == "15 0 3 * * MON-FRI"
    assert cron_of_six("@daily") == "@daily"


def test_lengths_of_time() -> None:
    assert [seconds_of(text) for text in ("90", "90s", "15m", "6h", "1d")] == [
        *(90, 90, 900),
        *(21_600, 86_400),
    ]
    with pytest.raises(ShopguideError, match="--timeout"):
        seconds_of("x", "--timeout")
