"""Who plays whom: the longest waiting first, each with the nearest rating within his band.

A band begins narrow and widens with waiting, so that waiting is what a better match costs,
and that it ends. Times are integer milliseconds, ratings points.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

FEWEST_WAITS = 3  # an estimate of fewer would be an anecdote

Blocked = Collection[frozenset[str]]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A player who waits; `since` is when he began to, `id` is of this wait and no other."""

    id: str
    player_id: str
    name: str
    account_id: str
    rating: int
    stake: int
    since: int


@dataclass(frozen=True, slots=True)
class Bands:
    """How far apart ratings may be: at once, and per second of waiting."""

    start: int
    growth: int

    def width(self, waited_ms: int) -> float:
        """How far after a wait."""
        return self.start + self.growth * max(0, waited_ms) / 1000


def may_meet(one: Ticket, other: Ticket, at: int, bands: Bands, blocked: Blocked) -> bool:
    """Whether two may be paired: the band of the one who has waited longer decides.

    Two characters of one account never are, nor two of whom one has blocked the other.
    """
    width = bands.width(at - min(one.since, other.since))
    return (
        one.stake == other.stake
        and one.account_id != other.account_id
        and abs(one.rating - other.rating) <= width
        and frozenset((one.player_id, other.player_id)) not in blocked
    )


def pairs(
    tickets: Iterable[Ticket], at: int, bands: Bands, blocked: Blocked = frozenset()
) -> list[tuple[Ticket, Ticket]]:
    """Pair as many as may meet; the one who has waited longer comes first."""
    ordered = sorted(tickets, key=lambda one: (one.since, one.player_id))
    lines: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for place, ticket in enumerate(ordered):
        insort(lines[ticket.stake], (ticket.rating, place))
    found = []
    for place, ticket in enumerate(ordered):
        line = lines[ticket.stake]
        if _take(line, (ticket.rating, place)):
            width = bands.width(at - ticket.since)
            for key in _nearest(line, ticket.rating, width):
                other = ordered[key[1]]
                if may_meet(ticket, other, at, bands, blocked):
                    _take(line, key)
                    found.append((ticket, other))
                    break
    return found


def _take(line: list[tuple[int, int]], key: tuple[int, int]) -> bool:
    """Take one out of a line; whether he was in it."""
    place = bisect_left(line, key)
    if place == len(line) or line[place] != key:
        return False
    del line[place]
    return True


def _nearest(line: list[tuple[int, int]], rating: int, width: float) -> list[tuple[int, int]]:
    """Those within the band, the nearest first, of equals the one who has waited longest."""
    low = bisect_left(line, (rating - width, -1))
    high = bisect_left(line, (rating + width + 1, -1))
    return sorted(line[low:high], key=lambda key: (abs(key[0] - rating), key[1]))


def estimate(waits: Sequence[int]) -> int | None:
    """How long a wait may be, from the last ones of others: their median, if there are some."""
    if len(waits) < FEWEST_WAITS:
        return None
    return sorted(waits)[len(waits) // 2]
