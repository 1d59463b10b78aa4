"""How fast a queue is, from what BullMQ counts of it and keeps of its newest jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

MINUTE_MS = 60_000
MINUTES = 5  # of a rate: what ended in this minute and the four before
POINTS = 60  # minutes that BullMQ keeps of each queue, also for its own dashboards
JOBS = 20  # the newest that were completed, of whose times the means are made
FIELDS = ("ats", "opts", "timestamp", "processedOn", "finishedOn")


@dataclass(frozen=True, slots=True)
class Counted:
    """BullMQ's count of jobs that ended in one way.

    `count` of all, `before` of those before the minute of `since` (ms), `points` of each
    minute before that one, the newest first.
    """

    count: int
    before: int
    since: int
    points: Sequence[int]

    def per_minute(self, now: int) -> float:
        """Jobs a minute, over the last five of them, of which the one that runs is a part."""
        newest = self.since // MINUTE_MS
        first = now // MINUTE_MS - MINUTES + 1
        minutes = enumerate([self.count - self.before, *self.points])
        ended = sum(jobs for back, jobs in minutes if newest - back >= first)
        return round(ended * MINUTE_MS / max(1, now - first * MINUTE_MS), 2)


@dataclass(frozen=True, slots=True)
class Pace:
    """Jobs that ended, a minute; and how long (ms) the newest ones waited and ran."""

    completed: float
    failed: float
    wait_ms: int | None
    run_ms: int | None


def free_at(ordered: str, opts: str) -> int:
    """When (ms) a job could begin for the first time. Its own `delay` BullMQ sets to 0 when it
    is over; in its options it stays.
    """
    return int(ordered) + int(orjson.loads(opts).get("delay", 0))


def means(jobs: Iterable[Sequence[Any]]) -> tuple[int | None, int | None]:
    """How long jobs waited and ran (ms), of those that were begun only once: of the others
    BullMQ does not keep when they could have been.

    Args:
        jobs: the FIELDS of each.
    """
    times = [_times(*one) for one in jobs if one[0] == "1"]
    if not times:
        return None, None
    waits, runs = zip(*times, strict=True)
    return round(sum(waits) / len(waits)), round(sum(runs) / len(runs))


def _times(_: str, opts: str, ordered: str, began: str, ended: str) -> tuple[int, int]:
    return max(0, int(began) - free_at(ordered, opts)), int(ended) - int(began)
