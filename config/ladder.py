"""Matchmaking and leaderboards: branches of the settings' tree."""

from __future__ import annotations

from typing import Literal

from config.sections import Section, default


class Match(Section):
    """Who is paired with whom; docs/matchmaking.md."""

    band: int = default(100, "how far ratings may be apart at once: an even duel", ge=0)
    band_growth: int = default(20, "and more per second of waiting: anybody in a minute", ge=1)
    every_seconds: float = default(0.5, "how often each node looks for pairs", gt=0)
    grace_seconds: float = default(10.0, "a place in the queue outlasts a reconnect", ge=0)


class Leaderboards(Section):
    """Boards and their seasons; docs/matchmaking.md."""

    season: Literal["month", "quarter"] = default("quarter", "of the calendar, in UTC")
    seasons_kept: int = default(4, "that are over and can be read: a year of quarters", ge=0)
    every_seconds: float = default(0.5, "how often each node brings them up to date", gt=0)
