"""How fast a queue is, as BullMQ counts it: against a list of when each job ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.pace import MINUTE_MS, MINUTES, POINTS, Counted, means


def counted(ends: list[int]) -> Counted:
    """As collectMetrics of BullMQ's moveToFinished does, with each end in its turn."""
    count, before, since = 0, 0, None
    points: list[int] = []
    for at in ends:
        count += 1
        if since is None:
            since = at
            continue
        minutes = min(at // MINUTE_MS - since // MINUTE_MS, POINTS)
        if minutes > 0:
            points = [*[0] * (minutes - 1), count - 1 - before, *points][:POINTS]
            before, since = count - 1, at
    return Counted(count, before, since or 0, points)


@given(st.lists(st.integers(10**12, 10**12 + 100 * MINUTE_MS)), st.integers(0, 100 * MINUTE_MS))
def test_the_rate_is_that_of_what_ended_in_the_last_five_minutes(
    ends: list[int], later: int
) -> None:
    now = max(ends, default=10**12) + later
    began = (now // MINUTE_MS - MINUTES + 1) * MINUTE_MS
    recent = sum(at >= began for at in ends)
    rate = counted(sorted(ends)).per_minute(now)
    assert rate == round(recent * MINUTE_MS / max(1, now - began), 2)


def test_the_means_are_those_of_jobs_that_were_begun_once() -> None:
    jobs: list[list[str | None]] = [
        ["1", '{"delay":100}', "1000", "1150", "1350"],
        ["1", "{}", "1000", "1030", "1040"],
        ["2", "{}", "1000", "9000", "9001"],
        [None, None, None, None, None],  # cleaned away meanwhile
    ]
    assert means(jobs) == (40, 105)
    assert means(jobs[2:]) == (None, None)
