from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.errors import ValidationFailed
from handlers.ports import Policy
from jobs.timing import AT_ONCE, Timing

BERLIN = "Europe/Berlin"
HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_795_000_000_000


def ms(*wall: int, tz: str = "UTC") -> int:
    year, month, day, hour, minute = wall
    return round(datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(tz)).timestamp() * 1000)


def runs(timing: Timing, start: int, count: int) -> list[int]:
    found = [timing.after(start)]
    while len(found) < count:
        found.append(timing.after(found[-1]))
    return found


@pytest.mark.parametrize(
    "wrong",
    [
        Timing(),
        Timing(cron="* * * * *", every=5),
        Timing(cron="not a pattern"),
        Timing(cron="0 0 30 2 *"),
        Timing(cron="61 * * * *"),
        Timing(every=5, tz="Mars/Olympus"),
        Timing(every=5, tz="../../etc/passwd"),
    ],
)
def test_what_never_comes_is_refused(wrong: Timing) -> None:
    with pytest.raises(ValidationFailed):
        wrong.check()


def test_an_interval_is_a_grid_that_all_processes_share() -> None:
    timing = Timing(every=10)
    assert runs(timing, NOW + 1, 3) == [NOW + 10_000, NOW + 20_000, NOW + 30_000]
    assert timing.after(NOW + 10_000) == NOW + 20_000


def test_a_pattern_means_the_time_on_the_wall() -> None:
    timing = Timing(cron="30 8 * * mon-fri", tz="America/New_York")
    timing.check()
    friday = ms(2026, 11, 20, 12, 0, tz="America/New_York")
    assert timing.after(friday) == ms(2026, 11, 23, 8, 30, tz="America/New_York")
    assert Timing(cron="*/5 * * * * *").after(NOW) == NOW + 5_000


def test_a_time_that_the_clocks_leave_out_is_when_they_have_jumped() -> None:
    night = Timing(cron="30 2 * * *", tz=BERLIN)
    first, second = runs(night, ms(2026, 3, 28, 12, 0), 2)
    assert first == ms(2026, 3, 29, 1, 30)  # 3:30 in summer time
    assert second == ms(2026, 3, 30, 0, 30)


def test_a_time_that_comes_twice_is_taken_once_and_minutes_go_on() -> None:
    night = Timing(cron="30 2 * * *", tz=BERLIN)
    first, second = runs(night, ms(2026, 10, 24, 12, 0), 2)
    assert second - first == DAY + HOUR
    minutes = runs(Timing(cron="*/10 * * * *", tz=BERLIN), ms(2026, 10, 24, 22, 0), 24)
    assert {later - earlier for earlier, later in pairwise(minutes)} == {600_000}


@given(st.integers(0, 2**42), st.sampled_from(["* * * * *", "7 */3 * * *", "0 0 1 * *"]))
def test_the_next_run_is_always_later(at: int, cron: str) -> None:
    timing = Timing(cron=cron, tz=BERLIN)
    later = timing.after(at)
    assert later > at
    assert datetime.fromtimestamp(later / 1000, UTC).second == 0


@pytest.mark.parametrize(
    ("missed", "expected"),
    [("skip", [10, 11, 12]), ("once", [3, 10, 11, 12]), ("each", list(range(3, 13)))],
)
def test_what_was_missed_follows_the_policy_and_what_is_only_late_is_run(
    missed: Policy, expected: list[int]
) -> None:
    timing = Timing(every=60)
    due, upcoming = timing.due(3 * 60_000, 12 * 60_000 + 5, missed, 150_000)
    assert [run // 60_000 for run in due] == expected
    assert upcoming == 13 * 60_000
    assert timing.due(upcoming, 12 * 60_000 + 6, missed, 150_000) == ([], upcoming)


def test_a_long_absence_is_caught_up_in_steps() -> None:
    due, upcoming = Timing(every=1).due(0, NOW, "each", 30_000)
    assert (len(due), upcoming) == (AT_ONCE, AT_ONCE * 1_000)
