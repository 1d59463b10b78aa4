"""Mailboxes: the notifications of each player, the newest so many of the last so many days.

| collection | document | indexes |
| --- | --- | --- |
| `mailboxes` | `{_id: player, items: [Notification], expires_at}` | a |

a: `expires_at`, which deletes; `items.by.id`, for whoever is to be forgotten.

A box is one document, so that its bound holds by construction and what is unread can be counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

from config.outbound import Notifications as Settings
from game.notifications import Notification
from state.documents import Document, DocumentStore, Transaction


@dataclass(frozen=True, slots=True)
class Box:
    """Notifications, the newest first, and how many of all in the box are unread."""

    items: list[Notification]
    unread: int
    next_before: str | None


class Mailboxes:
    """All players' notifications.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(
        self, documents: DocumentStore, settings: Settings, now: Callable[[], int]
    ) -> None:
        self._documents = documents
        self._kept = settings.kept
        self._keep = timedelta(seconds=settings.keep_seconds)
        self._now = now

    async def put(self, player_id: str, news: Notification) -> Notification:
        """Add a notification, unless it is there; returns it as it is in the box."""

        async def work(tx: Transaction) -> Notification:
            found = await tx.call("mailboxes", "find_one", {"_id": player_id})
            items = found["items"] if found else []
            known = [one for one in items if one["id"] == news["id"]]
            if known:
                return cast("Notification", known[0])
            kept = [*items, dict(news)][-self._kept :]
            await self._save(tx, player_id, kept, fresh=found is None)
            return news

        return await self._documents.transaction(work)

    async def get(self, player_id: str, notification_id: str) -> Notification | None:
        """One notification, if it is still there."""
        items = await self._items(player_id)
        return next((one for one in items if one["id"] == notification_id), None)

    async def page(self, player_id: str, before: str | None, limit: int) -> Box:
        """A player's newest notifications, or the newest before one."""
        items = await self._items(player_id)
        unread = sum(not one["read"] for one in items)
        if before is not None:
            ids = [one["id"] for one in items]
            items = items[ids.index(before) + 1 :] if before in ids else []
        page = items[:limit]
        return Box(page, unread, page[-1]["id"] if len(items) > limit else None)

    async def read(self, player_id: str, ids: Collection[str] | None) -> int:
        """Mark some as read, or all; returns how many are unread after it."""

        async def work(tx: Transaction) -> int:
            found = await tx.call("mailboxes", "find_one", {"_id": player_id})
            if found is None:
                return 0
            items: list[Any] = [_read(one, ids) for one in found["items"]]
            if items != found["items"]:
                await self._save(tx, player_id, items, fresh=False)
            return sum(not one["read"] for one in self._young(items))

        return await self._documents.transaction(work)

    async def delete(self, player_id: str) -> None:
        """Forget them all."""
        await self._documents.call("mailboxes", "delete_one", {"_id": player_id})

    async def forget_sender(self, player_id: str) -> None:
        """Take what a player did out of all boxes: his name is in it."""
        query = {"items.by.id": player_id}
        boxes = self._documents.each("mailboxes", query, sort=[("_id", 1)])
        for owner in [one["_id"] async for one in boxes]:
            await self._documents.transaction(partial(self._without, owner, player_id))

    async def _without(self, owner: str, player_id: str, tx: Transaction) -> None:
        found = await tx.call("mailboxes", "find_one", {"_id": owner})
        if found:
            kept = [one for one in found["items"] if (one["by"] or {}).get("id") != player_id]
            await self._save(tx, owner, kept, fresh=False)

    async def _items(self, player_id: str) -> list[Notification]:
        """The newest first."""
        found = await self._documents.call("mailboxes", "find_one", {"_id": player_id})
        return self._young(found["items"])[::-1] if found else []

    def _young(self, items: list[Notification]) -> list[Notification]:
        oldest = self._now() - self._keep // timedelta(milliseconds=1)
        return [one for one in items if one["at"] > oldest]

    async def _save(
        self, tx: Transaction, player_id: str, items: list[Document], *, fresh: bool
    ) -> None:
        expires_at = datetime.fromtimestamp(self._now() / 1000, UTC) + self._keep
        document = {"_id": player_id, "items": items, "expires_at": expires_at}
        if fresh:
            await tx.call("mailboxes", "insert_one", document)
        else:
            which = {"_id": player_id}
            await tx.call("mailboxes", "replace_one", which, document, hint="_id_")


def _read(one: Document, ids: Collection[str] | None) -> Document:
    return {**one, "read": True} if ids is None or one["id"] in ids else one
