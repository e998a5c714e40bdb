"""A store that keeps failing is left alone, and tried by one request now and then."""

import threading

import pytest

from serving.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(3, 10, clock)


def _open(breaker: Breaker) -> None:
    assert [breaker.failed() for _ in range(3)] == [False, False, True]


def test_it_opens_after_failures_in_a_row_only(breaker: Breaker) -> None:
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.allows()
    _open(breaker)
    assert not breaker.allows()
    assert breaker.is_open


def test_after_its_pause_one_probe_goes_through(breaker: Breaker, clock: Clock) -> None:
    _open(breaker)
    clock.now = 9.9
    assert not breaker.allows()
    clock.now = 10
    assert [breaker.allows() for _ in range(4)] == [True, False, False, False]


def test_a_probe_that_fails_opens_it_again(breaker: Breaker, clock: Clock) -> None:
    _open(breaker)
    clock.now = 10
    assert breaker.allows()
    assert breaker.failed() is False, "it was open already"
    clock.now = 19
    assert not breaker.allows()
    clock.now = 20
    assert breaker.allows()


def test_a_probe_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    _open(breaker)
    clock.now = 10
    assert breaker.allows()
    assert breaker.succeeded() is True
    assert all(breaker.allows() for _ in range(4))
    assert not breaker.is_open


def test_a_probe_that_never_ends_is_followed_by_another(breaker: Breaker, clock: Clock) -> None:
    _open(breaker)
    clock.now = 10
    assert breaker.allows()
    clock.now = 20
    assert breaker.allows()


def test_of_many_threads_one_is_the_probe(breaker: Breaker, clock: Clock) -> None:
    _open(breaker)
    clock.now = 10
    allowed = []
    threads = [threading.Thread(target=lambda: allowed.append(breaker.allows())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(allowed) == 1
