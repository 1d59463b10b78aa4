"""What leaderboards are made from: the documents that know each player's scores.

A source is `wealth`, which is all wallets, or the name of a season, which is its ratings.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal, NamedTuple, TypeAlias

from game import economy
from state.documents import Document, DocumentStore

Board: TypeAlias = Literal["rating", "wins", "wealth"]
WEALTH = "wealth"


class Score(NamedTuple):
    """Points, and since when (ms) if that is known."""

    points: int
    since: int | None = None


Scores: TypeAlias = tuple[Score, ...]
"""A player's, one for each board of the source."""


def boards_of(source: str) -> tuple[Board, ...]:
    """The boards that are made from a source."""
    return ("wealth",) if source == WEALTH else ("rating", "wins")


class Standings:
    """The truth about all players' scores.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    async def scores(self, source: str, player_ids: Sequence[str]) -> dict[str, Scores]:
        """What these players have; those that are not known are left out."""
        name = "wallets" if source == WEALTH else "ratings"
        ids = [_document_id(source, player) for player in player_ids]
        query = {"_id": {"$in": ids}}
        found = await self._documents.find(name, query, sort=[("_id", 1)], limit=len(ids))
        return {_player(source, one): _scores(source, one) for one in found}

    async def players(self, source: str) -> AsyncIterator[str]:
        """Everybody whom the source knows."""
        name, query = ("wallets", {}) if source == WEALTH else ("ratings", {"season": source})
        async for one in self._documents.each(name, query, sort=[("_id", 1)]):
            if player := _player(source, one):
                yield player


def _document_id(source: str, player_id: str) -> str:
    return economy.player(player_id) if source == WEALTH else f"{source}/{player_id}"


def _player(source: str, document: Document) -> str:
    """Whose it is; empty for an account that is nobody's wallet."""
    found: str = economy.owner(document["_id"]) or "" if source == WEALTH else document["player"]
    return found


def _scores(source: str, document: Document) -> Scores:
    if source == WEALTH:
        return (Score(document["balance"]),)
    rating = Score(document["score"], document["score_at"])
    return rating, Score(document["wins"], document["wins_at"])
