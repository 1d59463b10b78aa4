"""History, changes and the way to the archive: on real stores, with both drivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.settings import Mongo, Redis, Settings
from game.chat import Author, ChatMessage, Editor, MessageId
from game.errors import Conflict, DependencyUnavailable, NotFound, StaleVersion
from state import messages
from state.archive import Archive
from state.chat import Chat, Sent
from state.connect import RedisStore
from state.documents import DocumentStore
from tests.fixtures import Stores

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
class Table:
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


@pytest.fixture
async def table(redis: RedisStore, documents: DocumentStore) -> Table:
    table = Table(redis, documents, small())
    await table.clear()
    return table


@pytest.fixture
async def away() -> AsyncIterator[DocumentStore]:
    """A database that does not answer."""
    no_server = "mongodb://127.0.0.1:1/"
    async with DocumentStore(no_server, Mongo(timeout_seconds=0.05)) as store:
        yield store


# Archiving


async def test_what_was_said_and_changed_is_archived(table: Table) -> None:
    first, second, third = await table.say_some(3)
    await table.edit(first, "edited")
    await table.edit(first, "edited again")
    await table.delete(second)
    assert await table.archive.archive_once() == 3
    assert await table.stored() == list(table.model.values())
    assert table.model[str(first)]["text"] == "edited again"
    assert table.model[str(second)]["deleted"]
    assert table.model[str(third)]["text"] == "no 2"
    assert await table.archive.archive_once() == 0


async def test_a_change_of_an_archived_message_is_archived(table: Table) -> None:
    (first,) = await table.say_some(1)
    await table.archive.archive_once()
    await table.edit(first, "edited")
    await table.archive.archive_once()
    assert await table.stored() == list(table.model.values())


async def test_a_pass_goes_on_until_nothing_waits(table: Table) -> None:
    rooms = [f"room:{n}" for n in range(25)]
    for room in rooms:
        await table.say(room=room)
    await table.say_some(BATCH * 3 + 1)
    assert await table.archive.archive_once() == len(rooms) + BATCH * 3 + 1
    assert await table.stored() == list(table.model.values())
    assert [len(await table.stored(room)) for room in rooms] == [1] * len(rooms)


async def test_a_stream_keeps_its_tail_and_no_changes_of_what_left_it(table: Table) -> None:
    said = await table.say_some(TAIL * 3)
    for message_id in said:
        await table.edit(message_id, "edited")
    await table.archive.archive_once()
    assert await table.in_stream() == TAIL
    kept = await table.redis.call("HKEYS", messages.changes(ROOM))
    assert sorted(kept) == sorted(message_id.entry for message_id in said[-TAIL:])


async def test_nothing_leaves_a_stream_before_it_is_archived(table: Table) -> None:
    await table.say_some(TAIL * 3)
    assert await table.in_stream() == TAIL * 3


async def test_a_quiet_room_leaves_redis_and_stays_readable(table: Table) -> None:
    said = await table.say_some(TAIL + 2)
    await table.edit(said[-1], "edited")
    await table.archive.archive_once()
    left = await table.redis.call("KEYS", "*")
    assert sorted(set(left) & set(messages.kept_together(ROOM))) == sorted(
        messages.kept_together(ROOM)
    )
    for key in left:
        assert await table.redis.call("PTTL", key) > 0
    await table.redis.call("DEL", *left)
    assert await table.read_all(3) == list(table.model.values())
    await table.say("after a while")
    assert await table.read_all(3) == list(table.model.values())


@pytest.mark.parametrize("news", ["a message", "an edit"])
async def test_a_room_with_news_stays_in_redis(table: Table, news: str) -> None:
    (first,) = await table.say_some(1)
    await table.edit(first, "edited")
    await table.archive.archive_once()
    await (table.say() if news == "a message" else table.edit(first, "edited again"))
    ttls = [await table.redis.call("PTTL", key) for key in messages.kept_together(ROOM)]
    assert ttls == [-1, -1, -1]


async def test_two_archivers_write_each_message_once(table: Table, stores: Stores) -> None:
    async with RedisStore(stores.redis_url, Redis()) as redis:
        other = Archive(table.documents, redis, table.config)
        for room in (f"room:{n}" for n in range(30)):
            await table.say(room=room)
        await table.say_some(20)
        passes = await asyncio.gather(
            *(archive.archive_once() for archive in (table.archive, other) * 4)
        )
    assert sum(passes) == 50
    assert await table.stored() == list(table.model.values())


# Dying on the way


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


def doomed(table: Table, fate: Callable[[], Awaitable[None]], *, late: bool) -> Archive:
    redis, documents = (Mortal(store, fate, late=late) for store in (table.redis, table.documents))
    return Archive(cast("DocumentStore", documents), cast("RedisStore", redis), table.config)


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
async def test_nothing_is_lost_wherever_an_archiver_dies(table: Table, *, late: bool) -> None:
    for deadly in count(1):
        await table.clear()
        if not await _dies_at(table, deadly, late=late):
            break
    assert deadly > 10  # it had that many places to die at


async def _dies_at(table: Table, deadly: int, *, late: bool) -> bool:
    """Whether an archiver that dies at that call of a store gets so far."""
    calls = count(1)

    async def fate() -> None:
        if next(calls) == deadly:
            raise Died

    said = await table.say_some(TAIL + BATCH + 1)
    await table.edit(said[0], "edited")
    died = False
    try:
        await doomed(table, fate, late=late).archive_once()
    except Died:
        died = True
    await table.edit(said[0], "edited again")
    await table.delete(said[-1])
    await table.say("after the crash")
    assert await table.read_all(2) == list(table.model.values())
    await table.end_leases()
    await table.archive.archive_once()
    assert await table.stored() == list(table.model.values())
    assert await table.read_all(2) == list(table.model.values())
    assert await table.in_stream() == TAIL
    assert await table.redis.call("EXISTS", messages.DIRTY, messages.pending(ROOM)) == 0
    return died


async def test_a_room_is_left_to_one_archiver_until_its_lease_ends(table: Table) -> None:
    async def fate() -> None:
        raise Died

    await table.say()
    with pytest.raises(Died):
        await doomed(table, fate, late=True).archive_once()
    assert await table.archive.archive_once() == 0
    await table.end_leases()
    assert await table.archive.archive_once() == 1


@pytest.mark.parametrize("step", range(1, 7))
async def test_what_others_do_between_two_steps_of_an_archiver_is_kept(
    table: Table, step: int
) -> None:
    """It is that slow: meanwhile a message is changed, and another archiver takes over."""
    said = await table.say_some(BATCH)
    await table.edit(said[0], "edited")
    calls = count(1)

    async def meanwhile() -> None:
        if next(calls) == step:
            await table.edit(said[0], "edited meanwhile")
            await table.edit(said[1], "edited meanwhile")
            await table.say("meanwhile")
            await table.end_leases()
            await table.archive.archive_once()
            await table.edit(said[1], "edited at last")

    await doomed(table, meanwhile, late=True).archive_once()
    await table.end_leases()
    await table.archive.archive_once()
    assert next(calls) > step
    assert await table.stored() == list(table.model.values())
    assert await table.read_all(2) == list(table.model.values())


async def test_what_really_fails_in_the_archive_is_no_success(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    await table.say()
    too_long = "x" * 17_000_000  # more than a document may have

    def broken(stored: messages.Stored) -> dict[str, Any]:
        return {"_id": stored.message["id"], "text": too_long}

    with monkeypatch.context() as patch:
        patch.setattr(messages, "to_document", broken)
        with pytest.raises(Exception, match=r"(?i)large|size|16"):
            await table.archive.archive_once()
    await table.end_leases()
    assert await table.archive.archive_once() == 1
    assert await table.stored() == list(table.model.values())


# History

steps = st.lists(
    st.sampled_from(["say", "say", "say", "archive", "edit", "delete", "expire"]), max_size=30
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps, limit=st.integers(1, 12), which=st.randoms(use_true_random=False))
async def test_the_pages_have_each_message_once_and_in_order(
    table: Table, steps: Sequence[str], limit: int, which: Any
) -> None:
    await table.clear()
    for step in steps:
        await _do(table, step, which)
        assert await table.read_all(limit) == list(table.model.values())


async def _do(table: Table, step: str, which: Any) -> None:
    if step == "say":
        await table.say()
    elif step == "archive":
        await table.archive.archive_once()
    elif step == "expire":
        ttls = await table.redis.batch([("PTTL", key) for key in messages.kept_together(ROOM)])
        if all(ttl != -1 for ttl in ttls):  # else something of the room is not archived
            await table.redis.call("DEL", *messages.kept_together(ROOM))
    elif live := [one for one in table.model if not table.model[one].get("deleted")]:
        message_id = MessageId.parse(which.choice(live))
        await (table.edit(message_id, "edited") if step == "edit" else table.delete(message_id))


async def test_a_page_starts_before_any_id_of_the_room(table: Table) -> None:
    said = await table.say_some(TAIL * 2)
    await table.archive.archive_once()
    for n, message_id in enumerate(said):
        page = await table.archive.history(ROOM, message_id, 3)
        expected = [str(one) for one in said[max(0, n - 3) : n]]
        assert [message["id"] for message in page.messages] == expected
        assert page.next_before == (expected[0] if n > 3 else None)


async def test_an_empty_room_has_an_empty_history(table: Table) -> None:
    page = await table.archive.history("room:new", None, 50)
    assert (page.messages, page.next_before) == ([], None)


async def test_rooms_are_read_apart(table: Table) -> None:
    await table.say()
    await table.say("elsewhere", "trade")
    await table.archive.archive_once()
    await table.redis.call("FLUSHALL")
    assert [one["text"] for one in (await table.archive.history("trade", None, 9)).messages] == [
        "elsewhere"
    ]


async def test_the_tail_is_read_while_the_archive_is_away(
    table: Table, away: DocumentStore
) -> None:
    said = await table.say_some(4)
    alone = Archive(away, table.redis, table.config)
    page = await alone.history(ROOM, None, 3)
    assert page.messages == list(table.model.values())[1:]
    exact = await alone.history(ROOM, None, 4)
    assert exact.messages == list(table.model.values())
    assert exact.next_before == str(said[0])  # nobody knows whether there is more
    with pytest.raises(DependencyUnavailable):
        await alone.history(ROOM, None, 5)
    assert await alone.latest(ROOM, 50) == list(table.model.values())
    assert await table.archive.latest(ROOM, 2) == list(table.model.values())[2:]


async def test_while_the_archive_is_away_messages_wait_and_are_bounded(
    redis: RedisStore, documents: DocumentStore, away: DocumentStore
) -> None:
    table = Table(redis, documents, small(buffer=7))
    await table.clear()
    alone = Archive(away, redis, table.config)
    said = await table.say_some(7)
    with pytest.raises(DependencyUnavailable):
        await alone.archive_once()
    with pytest.raises(DependencyUnavailable):
        await table.say()
    await table.edit(said[0], "edited")  # takes no more room
    await table.end_leases()
    assert await table.archive.archive_once() == 7
    await table.say()
    assert await table.read_all(3) == list(table.model.values())


# Changes


@pytest.mark.parametrize("where", ["in the stream", "in the archive"])
async def test_a_change_is_seen_by_all_readers(table: Table, where: str) -> None:
    said = await table.say_some(TAIL + 2)
    if where == "in the archive":
        await table.archive.archive_once()
    edited = await table.edit(said[0], "edited 100 % {}\n 0 1")
    assert await table.archive.find(said[0]) == edited
    await table.edit(said[0], "edited again")
    deleted = await table.delete(said[0])
    assert deleted == await table.delete(said[0]) == await table.archive.find(said[0])
    assert (deleted["text"], deleted["deleted"]) == ("", True)
    with pytest.raises(Conflict):
        await table.edit(said[0], "back again")
    assert await table.read_all(3) == list(table.model.values())
    await table.archive.archive_once()
    assert await table.stored() == list(table.model.values())


async def test_nobody_changes_what_was_never_said(table: Table) -> None:
    nothing = MessageId(1_763_800_000_000, 0, ROOM)
    with pytest.raises(NotFound):
        await table.archive.find(nothing)
    with pytest.raises(NotFound):
        await table.edit(nothing, "edited")


@pytest.mark.parametrize("where", ["in the stream", "in the archive"])
async def test_of_parallel_changes_none_is_lost(table: Table, where: str) -> None:
    said = await table.say_some(TAIL + 1)
    if where == "in the archive":
        await table.archive.archive_once()

    def append(message: ChatMessage) -> ChatMessage:
        return {**message, "text": message["text"] + "+"}

    outcomes = await asyncio.gather(
        *(table.archive.change(said[0], append) for _ in range(12)), return_exceptions=True
    )
    done = [one for one in outcomes if not isinstance(one, BaseException)]
    assert all(isinstance(one, StaleVersion) for one in outcomes if isinstance(one, BaseException))
    message = await table.archive.find(said[0])
    assert message["text"] == "no 0" + "+" * len(done)
    assert len(done) >= 5


async def test_a_message_that_is_archived_meanwhile_is_changed_there(table: Table) -> None:
    said = await table.say_some(TAIL + 1)
    archived = False

    def slowly(message: ChatMessage) -> ChatMessage:
        return {**message, "text": "edited"}

    class Slow(Mortal):
        """Lets the message leave the stream once it was read there."""

    async def fate() -> None:
        nonlocal archived
        if not archived:
            archived = True
            await table.archive.archive_once()

    slow = Slow(table.redis, fate, late=True)
    archive = Archive(table.documents, cast("RedisStore", slow), table.config)
    changed = await archive.change(said[0], slowly)
    table.model[str(said[0])] = changed
    assert await table.stored() == list(table.model.values())


# Reports


async def test_a_report_keeps_what_was_said(table: Table) -> None:
    (first,) = await table.say_some(1)
    message = await table.archive.find(first)
    report_id = await table.archive.report(message, BOB, "rude", 17)
    await table.delete(first)
    again = await table.archive.report(await table.archive.find(first), BOB, "very rude", 18)
    other = await table.archive.report(message, ANN, "me", 19)
    assert again == report_id != other
    found = await table.documents.call("reports", "find_one", {"_id": report_id})
    assert found == {
        "_id": report_id,
        "message": message,
        "reporter": BOB,
        "reason": "rude",
        "reported_at": 17,
    }
