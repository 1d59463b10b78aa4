"""Ratings of players, by season, moved by each duel one time.

| collection | document | indexes |
| --- | --- | --- |
| `ratings` | `{_id: "<season>/<player>", season, player, mean, deviation, wins, …}` | a |
| `rated` | `{_id: duel, season, changes, expires_at}` | `expires_at`, which deletes |

a: `season`; `player`.

A duel's document in `rated` is written in the transaction that moves both players' ratings,
so whoever comes second, or again, finds what was done. `score_at` and `wins_at` are when a
player came to what he has (ms): of equals the earlier one is shown first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from config.ladder import Leaderboards
from game import ratings as rules
from game.duels import Duel
from game.ratings import Rating, Record
from game.seasons import Season, named, season_at
from state.documents import Document, DocumentStore, Transaction

SEASONS = 1_000  # of a player at the most: months of a lifetime
KEEP = timedelta(days=30)  # longer than a duel's end may wait for MongoDB


@dataclass(frozen=True, slots=True)
class Change:
    """What a duel did to a player's rating, in the numbers that are shown."""

    player_id: str
    rating: int
    uncertainty: int
    score: int
    change: int


@dataclass(frozen=True, slots=True)
class Rated:
    """A duel that has moved the ratings of its fighters."""

    season: str
    changes: tuple[Change, ...]


class Ratings:
    """The ratings of all players.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(
        self, documents: DocumentStore, settings: Leaderboards, now: Callable[[], int]
    ) -> None:
        self._documents = documents
        self._settings = settings
        self._now = now

    @property
    def season(self) -> Season:
        """The one that is now."""
        return season_at(self._now(), self._settings.season)

    def readable(self) -> list[Season]:
        """This season and those that are kept, the newest first."""
        return [self.season.later(-back) for back in range(self._settings.seasons_kept + 1)]

    def kept_until(self, season: str) -> int | None:
        """When (ms) a season can be read no more; None if seasons are not named so."""
        found = named(season, self._settings.season)
        return found.later(self._settings.seasons_kept + 1).begins_at if found else None

    async def of(self, player_id: str) -> Record:
        """A player's present season."""
        found = await self._documents.find(
            "ratings",
            {"_id": {"$in": self._ids(self.season, player_id)}},
            sort=[("_id", -1)],
            limit=1,
        )
        return _record(found, self.season)

    async def all_of(self, player_id: str) -> list[Document]:
        """All seasons of a player, the newest first."""
        query = {"player": player_id}
        return await self._documents.find("ratings", query, sort=[("_id", -1)], limit=SEASONS)

    async def forget(self, player_id: str) -> None:
        """Take away all seasons of a player."""
        await self._documents.delete_all("ratings", {"player": player_id})

    async def apply(self, duel: Duel) -> Rated:
        """Move the ratings of a duel's fighters, in the season that it ended in."""
        season = season_at(duel.ended_at or self._now(), self._settings.season)

        async def work(tx: Transaction) -> Rated:
            seen = await tx.call("rated", "find_one", {"_id": duel.id})
            if seen:
                changes = tuple(Change(**one) for one in seen["changes"])
                return Rated(seen["season"], changes)
            return await self._apply(tx, duel, season)

        return await self._documents.transaction(work)

    async def _apply(self, tx: Transaction, duel: Duel, season: Season) -> Rated:
        players = [fighter.id for fighter in duel.fighters]
        kept = [await self._kept(tx, season, player) for player in players]
        before = _record(kept[0], season), _record(kept[1], season)
        after = rules.after(duel, before)
        changes = tuple(map(_change, players, before, after))
        for player, documents, old, new in zip(players, kept, before, after, strict=True):
            fresh = not documents or documents[0]["season"] != season.id
            fields = _changed(None if fresh else old, new, duel.ended_at or self._now())
            which = {"_id": f"{season.id}/{player}"}
            if fresh:
                whole = {**which, "season": season.id, "player": player, **fields}
                await tx.call("ratings", "insert_one", whole)
            else:
                # Set, not added to: what was read is locked by the write (state/ledger.py).
                await tx.call("ratings", "update_one", which, {"$set": fields}, hint="_id_")
        document: Document = {
            "_id": duel.id,
            "season": season.id,
            "changes": [asdict(one) for one in changes],
            "expires_at": datetime.fromtimestamp(self._now() / 1000, UTC) + KEEP,
        }
        await tx.call("rated", "insert_one", document)
        return Rated(season.id, changes)

    async def _kept(self, tx: Transaction, season: Season, player_id: str) -> list[Document]:
        query = {"_id": {"$in": self._ids(season, player_id)}}
        found = [one async for one in tx.each("ratings", query)]
        return sorted(found, key=lambda one: str(one["_id"]), reverse=True)

    def _ids(self, season: Season, player_id: str) -> list[str]:
        """Of a player's documents in a season and the kept ones before it."""
        before = range(self._settings.seasons_kept + 1)
        return [f"{season.later(-back).id}/{player_id}" for back in before]


def _record(kept: Sequence[Document], season: Season) -> Record:
    """A player's season, from his documents, the newest first."""
    if not kept:
        return Record()
    newest = kept[0]
    rating = Rating(newest["mean"], newest["deviation"])
    if newest["season"] != season.id:
        return Record(rules.renewed(rating))
    return Record(rating, newest["wins"], newest["losses"], newest["draws"])


def _changed(before: Record | None, after: Record, at: int) -> Document:
    """The fields of a season's document that a duel changes; all of them if it is the first."""
    fields: Document = {
        "mean": after.rating.mean,
        "deviation": after.rating.deviation,
        "wins": after.wins,
        "losses": after.losses,
        "draws": after.draws,
        "score": after.rating.score,
    }
    if before is None or after.rating.score != before.rating.score:
        fields["score_at"] = at
    if before is None or after.wins != before.wins:
        fields["wins_at"] = at
    return fields


def _change(player_id: str, before: Record, after: Record) -> Change:
    new = after.rating
    return Change(player_id, new.shown, new.uncertainty, new.score, new.shown - before.rating.shown)
