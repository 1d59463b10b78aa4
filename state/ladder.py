"""Ratings, leaderboards and matchmaking, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from config.settings import Settings
from state.boards import Boards
from state.connect import RedisStore
from state.documents import DocumentStore
from state.matches import Matches
from state.ratings import Ratings
from state.standings import Standings


@dataclass(frozen=True, slots=True)
class Ladder:
    """How players find their equals, and who is best."""

    ratings: Ratings
    boards: Boards
    matches: Matches

    @classmethod
    def build(
        cls,
        redis: RedisStore,
        documents: DocumentStore,
        settings: Settings,
        now: Callable[[], int],
        observe_wait: Callable[[float], None],
    ) -> Self:
        """Put it together; `observe_wait` is told how many seconds somebody has waited."""
        ratings = Ratings(documents, settings.leaderboards, now)
        return cls(
            ratings=ratings,
            boards=Boards(redis, Standings(documents), ratings),
            matches=Matches(redis, settings.match, observe_wait),
        )
