"""What is counted and timed, in a form that processes can add up."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

LEAST_MS, GROWTH = 0.05, 1.08  # of the buckets: a quantile is at most 8 % too high
TIMED = ("connect", "ack", "delivery")


class Histogram:
    """Times in buckets that grow by a constant factor."""

    __slots__ = ("buckets",)

    def __init__(self, buckets: dict[int, int] | None = None) -> None:
        self.buckets = Counter(buckets or {})

    def record(self, ms: float) -> None:
        """One more."""
        self.buckets[max(0, math.ceil(math.log(max(ms, LEAST_MS) / LEAST_MS, GROWTH)))] += 1

    def add(self, other: Histogram) -> None:
        """All of another one's."""
        self.buckets.update(other.buckets)

    @property
    def count(self) -> int:
        """How many there are."""
        return self.buckets.total()

    def quantile(self, part: float) -> float | None:
        """In milliseconds, None if there is nothing to tell."""
        left = math.ceil(self.count * part)
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return LEAST_MS * GROWTH**bucket
        return None


@dataclass
class Sample:
    """What happened, in one second of a process or in all of a run.

    `players` and `connected` are how many there are, not how many came.
    """

    players: int = 0
    connected: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    times: dict[str, Histogram] = field(
        default_factory=lambda: {name: Histogram() for name in TIMED}
    )

    def add(self, other: Sample) -> None:
        """Everything that another one has."""
        self.players += other.players
        self.connected += other.connected
        self.counts.update(other.counts)
        self.errors.update(other.errors)
        for name, histogram in other.times.items():
            self.times[name].add(histogram)

    def begin_anew(self) -> None:
        """Forget what happened; who is there, stays."""
        self.counts.clear()
        self.errors.clear()
        for histogram in self.times.values():
            histogram.buckets.clear()

    def dump(self) -> dict[str, Any]:
        """For another process."""
        times = {name: dict(one.buckets) for name, one in self.times.items()}
        counts, errors = dict(self.counts), dict(self.errors)
        return {
            "players": self.players,
            "connected": self.connected,
            "counts": counts,
            "errors": errors,
            "times": times,
        }

    @classmethod
    def load(cls, data: dict[str, Any]) -> Self:
        """From another process."""
        return cls(
            data["players"],
            data["connected"],
            Counter(data["counts"]),
            Counter(data["errors"]),
            {name: Histogram(buckets) for name, buckets in data["times"].items()},
        )

    @property
    def error_rate(self) -> float:
        """The share of requests that were refused or failed."""
        failed = self.errors.total()
        asked = failed + self.counts["acks"]
        return failed / asked if asked else 0.0
