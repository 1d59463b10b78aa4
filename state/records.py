"""What moderators look at: players, their records, what is in force, and the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from game.errors import NotFound
from game.moderation import Action, Kind, LogEntry, SanctionView, shown_end
from state.documents import Document, DocumentStore

LAST = "\U0010ffff"  # nothing that begins with a text sorts behind it and this


@dataclass(frozen=True, slots=True)
class Player:
    """A player, and what his account says of him; times in ms, 0 for never.

    The last of his former names comes first.
    """

    id: str
    name: str
    former_names: list[str]
    account_id: str
    username: str | None
    role: str
    banned_until: int
    muted_until: int


class Records:
    """Reads only. All methods raise DependencyUnavailable when MongoDB does not answer."""

    def __init__(self, documents: DocumentStore, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now

    async def search(self, name: str, limit: int) -> list[Player]:
        """Players whose name or user name begins with a text, whatever its case, by name."""
        begins = {"$gte": name.lower(), "$lt": name.lower() + LAST}
        accounts = await self._documents.find(
            "accounts", {"username_lower": begins}, sort=[("username_lower", 1)], limit=limit
        )
        named = await self._documents.find(
            "characters", {"name_lower": begins}, sort=[("name_lower", 1)], limit=limit
        )
        theirs = {"account_id": {"$in": [one["_id"] for one in accounts]}}
        owned = await self._characters(theirs, limit) if accounts else []
        found = {one["_id"]: one for one in (*named, *owned)}
        shown = sorted(found.values(), key=lambda one: (str(one["name_lower"]), str(one["_id"])))
        return await self._players(shown[:limit])

    async def players(self, player_id: str, limit: int) -> list[Player]:
        """All players of the account of a player, the oldest first.

        Raises:
            NotFound: there is no such player.
        """
        found = await self._documents.call("characters", "find_one", {"_id": player_id})
        if found is None:
            raise NotFound("There is no such player.")
        owned = await self._characters({"account_id": found["account_id"]}, limit)
        return await self._players(owned)

    async def in_force(self, kind: Kind, before: str | None, limit: int) -> list[SanctionView]:
        """The newest mutes or bans that count now, or the newest before one."""
        query: Document = {"active": kind, "until": {"$gt": self._now()}}
        return await self._sanctions(query, before, limit)

    async def sanctions(self, account_id: str, limit: int) -> list[SanctionView]:
        """The newest mutes and bans of an account."""
        return await self._sanctions({"whom.account_id": account_id}, None, limit)

    async def log(
        self,
        before: str | None,
        limit: int,
        *,
        action: Action | None = None,
        by: str | None = None,
        whom: str | None = None,
    ) -> list[LogEntry]:
        """The newest actions, or the newest before one; `by` and `whom` are accounts."""
        wanted = {"action": action, "by.account_id": by, "whom.account_id": whom}
        query: Document = {name: value for name, value in wanted.items() if value is not None}
        found = await self._newest("moderation_log", query, before, limit)
        return [cast("LogEntry", {"id": one.pop("_id"), **one}) for one in found]

    # Inside

    async def _sanctions(
        self, query: Document, before: str | None, limit: int
    ) -> list[SanctionView]:
        found = await self._newest("sanctions", query, before, limit)
        return [_view(one, self._now()) for one in found]

    async def _newest(
        self, collection: str, query: Document, before: str | None, limit: int
    ) -> list[Document]:
        bounded = query if before is None else {**query, "_id": {"$lt": before}}
        return await self._documents.find(collection, bounded, sort=[("_id", -1)], limit=limit)

    async def _characters(self, query: Document, limit: int) -> list[Document]:
        order = [("account_id", 1), ("slot", 1)]
        return await self._documents.find("characters", query, sort=order, limit=limit)

    async def _players(self, characters: Iterable[Document]) -> list[Player]:
        listed = list(characters)
        wanted = {"_id": {"$in": sorted({one["account_id"] for one in listed})}}
        found = await self._documents.find(
            "accounts", wanted, sort=[("_id", 1)], limit=len(listed) or 1
        )
        accounts = {one["_id"]: one for one in found}
        return [
            _player(one, accounts[one["account_id"]])
            for one in listed
            if one["account_id"] in accounts
        ]


def _player(character: Document, account: Document) -> Player:
    return Player(
        id=character["_id"],
        name=character["name"],
        former_names=[one["name"] for one in reversed(character.get("former", []))],
        account_id=account["_id"],
        username=account.get("username"),
        role=account["role"],
        banned_until=account.get("banned_until", 0),
        muted_until=account.get("muted_until", 0),
    )


def _view(document: Document, now: int) -> SanctionView:
    return SanctionView(
        id=document["_id"],
        kind=document["kind"],
        whom=document["whom"],
        player_id=document["player_id"],
        by=document["by"],
        reason=document["reason"],
        at=document["at"],
        until=shown_end(document["until"]),
        in_force=document["active"] != "" and document["until"] > now,
        ended=document["ended"],
    )
