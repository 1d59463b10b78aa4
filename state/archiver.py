"""The way of chat from the streams to the archive, written behind and losing nothing.

A pass takes some rooms under a lease, reads what of them is not archived, writes that, and
only then notes in Redis how far it came. Each step may be done again, by this node or by
another: a message is inserted once, and a change is written only over an older one. A node
that dies between two steps leaves rooms whose lease ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from config.sections import Chat as ChatSettings
from game.chat import MessageId
from game.errors import DependencyUnavailable
from state import messages
from state.connect import Argument, RedisStore, Script
from state.documents import Document, DocumentStore

CLAIM = Script("chat_claim")
UNSAVED = Script("chat_unsaved")
SETTLE = Script("chat_settle")

ROOMS = 20  # of a pass: what is read of them is in memory at once
# Of a room in a pass, and of one write. Everybody on the node waits while so much is parsed
# and, by a thread that keeps the interpreter's lock, encoded: with 2.5 MB for 10 ms.
BATCH_BYTES = 131_072
LEASE_MS = 30_000  # longer than a pass takes, even one that waits for its time-outs
QUIET_MS = 86_400_000  # a room without news leaves Redis after a day
DUPLICATE = 11_000  # MongoDB's code


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What of a room is to be archived: entries with bodies, and entries with changes; and
    whether that may not be all.
    """

    room: str
    last: str
    entries: Sequence[tuple[str, str]]
    changes: Sequence[tuple[str, str]]
    more: bool


class Archiver:
    """Writes behind."""

    def __init__(self, documents: DocumentStore, redis: RedisStore, settings: ChatSettings) -> None:
        self._documents = documents
        self._redis = redis
        self._batch = settings.archive_batch
        self._tail = settings.tail

    async def run(self) -> int:
        """Pass after pass, as long as they are full; returns the messages read."""
        total, more = 0, True
        while more:
            claimed = await self._claim()
            try:
                rooms = await self._archive(claimed)
            except DependencyUnavailable:
                await self._give_back(claimed)
                raise
            total += sum(len(unsaved.entries) for unsaved in rooms)
            more = len(rooms) == ROOMS or any(unsaved.more for unsaved in rooms)
        return total

    async def _claim(self) -> list[str]:
        rooms: list[str] = await self._redis.run(CLAIM, [messages.DIRTY], [LEASE_MS, ROOMS])
        return rooms

    async def _archive(self, claimed: Sequence[str]) -> list[Unsaved]:
        rooms = [await self._unsaved(room) for room in claimed]
        await self._insert(rooms)
        await self._update(rooms)
        for unsaved in rooms:
            await self._settle(unsaved)
        return rooms

    async def _give_back(self, claimed: Sequence[str]) -> None:
        """Let anybody take these rooms at once: a store's return ends the wait, no lease."""
        await self._redis.batch([("ZADD", messages.DIRTY, "XX", 0, room) for room in claimed])

    async def _unsaved(self, room: str) -> Unsaved:
        keys = [*messages.kept_together(room), messages.pending(room)]
        args = [self._batch, BATCH_BYTES]
        last, entries, changes, more = await self._redis.run(UNSAVED, keys, args)
        if entries:
            last = entries[-1][0]
        reached = MessageId.of_entry(last, room)
        # A change can be written once its message is: the others wait for a later pass.
        due = [one for one in changes if MessageId.of_entry(one[0], room) <= reached]
        return Unsaved(room, last, entries, due, bool(more))

    async def _insert(self, rooms: Sequence[Unsaved]) -> None:
        entries = chain.from_iterable(unsaved.entries for unsaved in rooms)
        for some in _bunches(entries, self._batch):
            documents = [messages.to_document(messages.from_entry(*entry)) for entry in some]
            await self._insert_new(documents)

    async def _insert_new(self, documents: list[Document]) -> None:
        try:
            await self._documents.call("messages", "insert_many", documents, ordered=False)
        except BulkWriteError as error:
            if _failures(error):
                raise

    async def _update(self, rooms: Sequence[Unsaved]) -> None:
        writes = [_update(room.room, *change) for room in rooms for change in room.changes]
        if writes:
            await self._documents.call("messages", "bulk_write", writes, ordered=False)

    async def _settle(self, unsaved: Unsaved) -> None:
        room = unsaved.room
        keys = [*messages.kept_together(room), messages.DIRTY, messages.pending(room)]
        settled: Iterator[str] = chain.from_iterable(unsaved.changes)
        args: tuple[Argument, ...] = (room, unsaved.last, self._tail, QUIET_MS, *settled)
        await self._redis.run(SETTLE, keys, args)


def _bunches(entries: Iterable[tuple[str, str]], most: int) -> Iterator[list[tuple[str, str]]]:
    """Entries in their order, in lists that are written at once."""
    some: list[tuple[str, str]] = []
    size = 0
    for entry in entries:
        some.append(entry)
        size += len(entry[1])
        if len(some) == most or size >= BATCH_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _update(room: str, entry: str, change: str) -> UpdateOne:
    """Write a change over an older one; a newer one stays."""
    message_id = str(MessageId.of_entry(entry, room))
    fields = messages.changed_fields(change)
    guard = {"_id": message_id, "rev": {"$lt": fields["rev"]}}
    return UpdateOne(guard, {"$set": fields}, hint="_id_")


def _failures(error: BulkWriteError) -> bool:
    """Whether anything is wrong besides that messages were archived before."""
    details: Any = error.details
    codes = {problem["code"] for problem in details["writeErrors"]}
    return codes != {DUPLICATE} or bool(details["writeConcernErrors"])
