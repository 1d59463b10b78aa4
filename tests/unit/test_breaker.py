"""The circuit breaker: five failures in a row open it, a sign of life closes it."""

from __future__ import annotations

import pytest

from game.errors import DependencyUnavailable, NotFound
from state.breaker import FAILURES, OPEN_SECONDS, Breaker


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def breaker(time: Time) -> Breaker:
    return Breaker("store", (OSError,), now=time)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(DependencyUnavailable), breaker.guard("get"):
            raise ConnectionResetError


def succeed(breaker: Breaker) -> None:
    with breaker.guard("get"):
        pass


def test_a_missing_answer_is_dependency_unavailable_and_may_be_retried(breaker: Breaker) -> None:
    with pytest.raises(DependencyUnavailable) as refused, breaker.guard("get"):
        raise ConnectionResetError
    assert refused.value.retryable
    assert refused.value.retry_after == OPEN_SECONDS
    assert isinstance(refused.value.__cause__, ConnectionResetError)


def test_fewer_failures_than_an_outage_leave_it_closed(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    assert not breaker.open
    succeed(breaker)


def test_only_failures_in_a_row_count(breaker: Breaker) -> None:
    for _ in range(3):
        fail(breaker, FAILURES - 1)
        succeed(breaker)
    assert not breaker.open


def test_open_it_refuses_without_a_call(breaker: Breaker) -> None:
    fail(breaker, FAILURES)
    assert breaker.open
    with pytest.raises(DependencyUnavailable), breaker.guard("get"):
        pytest.fail("the store was asked")


def test_after_a_moment_calls_go_through_and_one_that_succeeds_closes_it(
    breaker: Breaker, time: Time
) -> None:
    fail(breaker, FAILURES)
    time.now += OPEN_SECONDS
    assert not breaker.open
    succeed(breaker)
    fail(breaker, FAILURES - 1)
    assert not breaker.open


def test_after_a_moment_the_first_call_that_fails_opens_it_anew(
    breaker: Breaker, time: Time
) -> None:
    fail(breaker, FAILURES)
    time.now += OPEN_SECONDS
    fail(breaker)
    assert breaker.open


def test_a_probe_goes_through_an_open_breaker_and_closes_it(breaker: Breaker) -> None:
    fail(breaker, FAILURES)
    with breaker.probe():
        pass
    assert not breaker.open
    succeed(breaker)


def test_a_probe_without_an_answer_counts_as_a_failure(breaker: Breaker) -> None:
    for _ in range(FAILURES):
        with pytest.raises(DependencyUnavailable), breaker.probe():
            raise ConnectionResetError
    assert breaker.open


@pytest.mark.parametrize("error", [NotFound, ValueError, KeyError])
def test_an_error_that_is_an_answer_passes_and_does_not_count(
    breaker: Breaker, error: type[Exception]
) -> None:
    for _ in range(FAILURES):
        with pytest.raises(error), breaker.guard("get"):
            raise error
    assert not breaker.open


def test_answered_calls_are_observed_with_their_seconds_and_others_are_not(time: Time) -> None:
    seen: list[tuple[str, str, float]] = []
    breaker = Breaker("store", (OSError,), lambda *call: seen.append(call), now=time)
    with breaker.guard("get"):
        time.now += 0.25
    fail(breaker)
    with breaker.probe():
        pass
    assert seen == [("store", "get", 0.25)]
