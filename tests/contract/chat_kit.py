"""What the tests of the chat's history and archive share: a room and its stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from config.settings import Settings
from game.chat import Author, ChatMessage, Editor, MessageId
from state import messages
from state.archive import Archive
from state.chat import Chat, Sent
from state.connect import RedisStore
from state.documents import DocumentStore

ANN, BOB = Author(id="a" * 20, name="Ann"), Author(id="b" * 20, name="Bob")
ROOM = "global"
TAIL, BATCH, BUFFER = 5, 3, 100


def small(**chat: int) -> Settings:
    """Settings with which a few messages do what thousands do otherwise."""
    base = Settings()
    sizes = {"tail": TAIL, "archive_batch": BATCH, "buffer": BUFFER, **chat}
    limits = base.limits.model_copy(update={"chat_messages": 10_000})
    return base.model_copy(update={"chat": base.chat.model_copy(update=sizes), "limits": limits})


@dataclass
class Lobby:
    """A room, what is known to be in it, and the two stores that keep it."""

    redis: RedisStore
    documents: DocumentStore
    config: Settings
    model: dict[str, ChatMessage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chat = Chat(self.redis, self.config)
        self.archive = Archive(self.documents, self.redis, self.config)

    async def clear(self) -> None:
        await self.redis.call("FLUSHALL")
        await self.documents.empty()
        await self.archive.prepare()
        self.model.clear()

    async def say(self, text: str = "hi", room: str = ROOM) -> MessageId:
        sent = await self.chat.send(room, ANN, text)
        assert isinstance(sent, Sent)
        if room == ROOM:
            self.model[sent.message["id"]] = sent.message
        return MessageId.parse(sent.message["id"])

    async def say_some(self, number: int) -> list[MessageId]:
        return [await self.say(f"no {n}") for n in range(number)]

    async def edit(self, message_id: MessageId, text: str) -> ChatMessage:
        editor = Editor(ANN["id"], moderates=False, at=message_id.ms + 1, window_ms=10)
        changed = await self.archive.change(message_id, lambda one: editor.edit(one, text))
        self.model[str(message_id)] = changed
        return changed

    async def delete(self, message_id: MessageId) -> ChatMessage:
        editor = Editor(BOB["id"], moderates=True, at=0, window_ms=0)
        changed = await self.archive.change(message_id, editor.delete)
        self.model[str(message_id)] = changed
        return changed

    async def stored(self, room: str = ROOM) -> list[ChatMessage]:
        """What the archive has of a room, the oldest message first."""
        found = await self.documents.find(
            "messages", {"room": room}, sort=[("_id", 1)], limit=10_000
        )
        return [messages.from_document(document).message for document in found]

    async def in_stream(self, room: str = ROOM) -> int:
        return int(await self.redis.call("XLEN", messages.stream(room)))

    async def end_leases(self) -> None:
        """Let the time of those pass who took rooms to archive and never came back."""
        for room in await self.redis.call("ZRANGE", messages.DIRTY, 0, -1):
            await self.redis.call("ZADD", messages.DIRTY, 0, room)

    async def read_all(self, limit: int) -> list[ChatMessage]:
        """The whole room, page by page."""
        found: list[ChatMessage] = []
        before: MessageId | None = None
        while True:
            page = await self.archive.history(ROOM, before, limit)
            assert len(page.messages) <= limit
            found = page.messages + found
            if page.next_before is None:
                return found
            assert len(page.messages) == limit
            before = MessageId.parse(page.next_before)


class Died(Exception):
    """The process was killed."""


class Mortal:
    """A store whose process dies at one of its calls, before or after it was carried out."""

    def __init__(self, store: object, fate: Callable[[], Awaitable[None]], *, late: bool) -> None:
        self._store = store
        self._fate = fate
        self._late = late

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **options: Any) -> Any:
            if not self._late:
                await self._fate()
            answer = await getattr(self._store, name)(*args, **options)
            if self._late:
                await self._fate()
            return answer

        return call


def doomed(lobby: Lobby, fate: Callable[[], Awaitable[None]], *, late: bool) -> Archive:
    redis, documents = (Mortal(store, fate, late=late) for store in (lobby.redis, lobby.documents))
    return Archive(cast("DocumentStore", documents), cast("RedisStore", redis), lobby.config)
