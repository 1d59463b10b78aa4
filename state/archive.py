"""Chat for ever: history and changes, over the rooms' streams and MongoDB.

| collection | document | indexes |
| --- | --- | --- |
| `messages` | `{_id: message id, room, from: {id, name}, text, sent_at, edited_at?, deleted?, rev}` | `room, _id`: a room's pages |

A message is in its room's stream (messages.py), which is the truth about it as long as it
holds it, or else in the archive: the archiver takes nothing out of a stream before the
archive has it as it is. So whatever is older than a stream's oldest entry is archived.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from config.settings import Settings
from game.chat import Change, ChatMessage, MessageId
from game.errors import DependencyUnavailable, NotFound, StaleVersion
from state import messages
from state.archiver import Archiver
from state.connect import RedisStore, Script
from state.documents import Document, DocumentStore
from state.messages import Stored

PAGE = Script("chat_page")
CHANGE = Script("chat_change")

ATTEMPTS = 5  # at a change; a message that five others change meanwhile is fought over


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a room's history, the oldest message first.

    `next_before` is the id before which the page before it ends, None when there is none.
    """

    messages: list[ChatMessage]
    next_before: str | None


class Archive:
    """What was said.

    All methods raise DependencyUnavailable when a store that they need does not answer.
    """

    def __init__(
        self,
        documents: DocumentStore,
        redis: RedisStore,
        settings: Settings,
        count: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._documents = documents
        self._redis = redis
        self._count = count  # told how many messages were archived
        self._archiver = Archiver(documents, redis, settings.chat)

    async def prepare(self) -> None:
        """Make the indexes, at start; on several nodes at once does no harm."""
        await self._documents.call("messages", "create_index", [("room", 1), ("_id", -1)])

    async def archive_once(self) -> int:
        """Write what waits in the streams; returns how many messages were read from them.

        Any number of nodes may do so at once; what one leaves undone another does later.
        """
        archived = await self._archiver.run()
        self._count(archived)
        return archived

    async def history(self, room: str, before: MessageId | None, limit: int) -> Page:
        """The newest messages, or the newest before one.

        MongoDB is asked only when the stream has too few.
        """
        newest = await self._tail(room, before, limit + 1)
        if len(newest) <= limit:
            try:
                newest += await self._older(room, newest, before, limit)
            except DependencyUnavailable:
                if len(newest) < limit:
                    raise
                return Page(newest[::-1], newest[-1]["id"])  # perhaps the last: the next tells
        page = newest[:limit]
        return Page(page[::-1], page[-1]["id"] if len(newest) > limit else None)

    async def latest(self, room: str, limit: int) -> list[ChatMessage]:
        """The newest messages, the oldest first; of the stream only while MongoDB is away."""
        try:
            return (await self.history(room, None, limit)).messages
        except DependencyUnavailable:
            return (await self._tail(room, None, limit))[::-1]

    async def find(self, message_id: MessageId) -> ChatMessage:
        """One message as it is now.

        Raises:
            NotFound: there is none.
        """
        stored = await self._in_stream(message_id) or await self._in_archive(message_id)
        return stored.message

    async def change(self, message_id: MessageId, change: Change) -> ChatMessage:
        """Change a message by a rule, which sees it as it is at that moment.

        Raises:
            NotFound: there is none.
            StaleVersion: others changed it all the time.
        """
        for _ in range(ATTEMPTS):
            in_stream = await self._in_stream(message_id)
            found = in_stream or await self._in_archive(message_id)
            changed = Stored(change(found.message), found.rev + 1)
            save = self._save_in_stream if in_stream else self._save_in_archive
            if changed.message == found.message or await save(message_id, changed):
                return changed.message
        raise StaleVersion

    async def after(self, message_id: MessageId, limit: int) -> list[ChatMessage]:
        """What was said next in its room, the oldest message first, as far as it is archived."""
        query: Document = {"room": message_id.room, "_id": {"$gt": str(message_id)}}
        found = await self._documents.find("messages", query, sort=[("_id", 1)], limit=limit)
        return [messages.from_document(document).message for document in found]

    # Inside

    async def _tail(self, room: str, before: MessageId | None, limit: int) -> list[ChatMessage]:
        found = await self._entries(room, f"({before.entry}" if before else "+", "-", limit)
        return [stored.message for stored in found]

    async def _older(
        self, room: str, newest: list[ChatMessage], before: MessageId | None, limit: int
    ) -> list[ChatMessage]:
        """What the page lacks, and one more to know whether there is any."""
        bound = newest[-1]["id"] if newest else str(before) if before else None
        query: Document = {"room": room, "_id": {"$lt": bound}} if bound else {"room": room}
        found = await self._documents.find(
            "messages", query, sort=[("_id", -1)], limit=limit + 1 - len(newest)
        )
        return [messages.from_document(document).message for document in found]

    async def _entries(self, room: str, newest: str, oldest: str, count: int) -> list[Stored]:
        keys = [messages.stream(room), messages.changes(room)]
        found = await self._redis.run(PAGE, keys, [newest, oldest, count])
        return [messages.from_entry(*entry) for entry in found]

    async def _in_stream(self, message_id: MessageId) -> Stored | None:
        entry = message_id.entry
        found = await self._entries(message_id.room, entry, entry, 1)
        return found[0] if found else None

    async def _in_archive(self, message_id: MessageId) -> Stored:
        query = {"_id": str(message_id)}
        found = await self._documents.call("messages", "find_one", query)
        if found is None:
            raise NotFound("There is no such message.")
        return messages.from_document(found)

    async def _save_in_stream(self, message_id: MessageId, changed: Stored) -> bool:
        room = message_id.room
        keys = [*messages.kept_together(room), messages.DIRTY, messages.pending(room)]
        args = (room, message_id.entry, changed.rev - 1, messages.change_of(changed))
        return bool(await self._redis.run(CHANGE, keys, args))

    async def _save_in_archive(self, message_id: MessageId, changed: Stored) -> bool:
        guard = {"_id": str(message_id), "rev": changed.rev - 1}
        fields = messages.changed_fields(messages.change_of(changed))
        return await self._documents.update_guarded("messages", guard, fields)
