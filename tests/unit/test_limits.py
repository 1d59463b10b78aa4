"""Event credits and the count of refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.sections import Limits
from game.errors import RateLimited
from server.limits import Credits, Refusals


class Clock:
    """A time that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def passes(bucket: Credits) -> bool:
    try:
        bucket.take()
    except RateLimited:
        return False
    return True


def test_a_burst_passes_and_the_next_is_told_how_long_to_wait() -> None:
    clock = Clock()
    bucket = Credits(20, 40, clock)
    assert all(passes(bucket) for _ in range(40))
    with pytest.raises(RateLimited) as refused:
        bucket.take()
    assert refused.value.retry_after == pytest.approx(0.05)
    clock.now += 0.050001
    assert passes(bucket)
    assert not passes(bucket)


def test_a_refusal_costs_nothing() -> None:
    clock = Clock()
    bucket = Credits(1, 1, clock)
    bucket.take()
    for _ in range(10):
        clock.now += 0.09
        assert not passes(bucket)
    clock.now += 0.11
    assert passes(bucket)


def test_an_hour_of_rest_gives_one_burst_and_no_more() -> None:
    clock = Clock()
    bucket = Credits(20, 40, clock)
    clock.now += 3_600
    assert sum(passes(bucket) for _ in range(100)) == 40


@given(st.lists(st.floats(0, 3), max_size=200))
def test_never_more_pass_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    clock = Clock()
    bucket = Credits(5, 10, clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += passes(bucket)
    assert passed <= 10 + 5 * (clock.now - 1_000) + 1e-6


@given(st.lists(st.floats(0.2, 3), max_size=100))
def test_who_keeps_to_the_rate_is_never_refused(pauses: list[float]) -> None:
    clock = Clock()
    bucket = Credits(5, 1, clock)
    for pause in pauses:
        assert passes(bucket)
        clock.now += pause + 1e-9


def test_the_last_of_200_refusals_in_10_seconds_ends_the_connection() -> None:
    clock = Clock()
    refusals = Refusals(Limits(), clock)
    for _ in range(199):
        clock.now += 0.05
        assert not refusals.add()
    assert refusals.add()


def test_refusals_that_are_spread_out_end_nothing() -> None:
    clock = Clock()
    refusals = Refusals(Limits(), clock)
    for _ in range(1_000):
        clock.now += 0.051
        assert not refusals.add()
