"""The way of messages to the archive: on real stores, with both drivers."""

from __future__ import annotations

import asyncio
from hashlib import sha1
from itertools import count
from typing import Any

import pytest

import state.chat
from config.sections import Redis
from state import messages
from state.archive import Archive
from state.archiver import BATCH_BYTES
from state.connect import RedisStore, Script
from state.documents import DocumentStore
from tests.contract.chat_kit import BATCH, ROOM, TAIL, Died, Lobby, doomed, small
from tests.fixtures import Stores


@pytest.fixture
async def lobby(redis: RedisStore, documents: DocumentStore) -> Lobby:
    lobby = Lobby(redis, documents, small())
    await lobby.clear()
    return lobby


# Archiving


async def test_what_was_said_and_changed_is_archived(lobby: Lobby) -> None:
    first, second, third = await lobby.say_some(3)
    await lobby.edit(first, "edited")
    await lobby.edit(first, "edited again")
    await lobby.delete(second)
    assert await lobby.archive.archive_once() == 3
    assert await lobby.stored() == list(lobby.model.values())
    assert lobby.model[str(first)]["text"] == "edited again"
    assert lobby.model[str(second)]["deleted"]
    assert lobby.model[str(third)]["text"] == "no 2"
    assert await lobby.archive.archive_once() == 0


async def test_a_change_of_an_archived_message_is_archived(lobby: Lobby) -> None:
    (first,) = await lobby.say_some(1)
    await lobby.archive.archive_once()
    await lobby.edit(first, "edited")
    await lobby.archive.archive_once()
    assert await lobby.stored() == list(lobby.model.values())


async def test_a_pass_goes_on_until_nothing_waits(lobby: Lobby) -> None:
    rooms = [f"room:{n}" for n in range(25)]
    for room in rooms:
        await lobby.say(room=room)
    await lobby.say_some(BATCH * 3 + 1)
    assert await lobby.archive.archive_once() == len(rooms) + BATCH * 3 + 1
    assert await lobby.stored() == list(lobby.model.values())
    assert [len(await lobby.stored(room)) for room in rooms] == [1] * len(rooms)


async def test_large_messages_are_archived_in_smaller_writes(
    redis: RedisStore, documents: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lobby = Lobby(redis, documents, small(archive_batch=500))
    await lobby.clear()
    written: list[int] = []
    call = documents.call

    async def counted(collection: str, method: str, *args: Any, **options: Any) -> Any:
        if method == "insert_many":
            written.append(sum(len(one["text"]) for one in args[0]))
        return await call(collection, method, *args, **options)

    monkeypatch.setattr(documents, "call", counted)
    texts = [f"{n:04d}" * 1_000 for n in range(90)]
    for text in texts:
        await lobby.say(text)
    for room in ("room:one", "room:other"):
        for text in texts[:20]:
            await lobby.say(text, room)
    unsaved = await lobby.archive._archiver._unsaved(ROOM)
    assert unsaved.more
    assert sum(len(body) for _, body in unsaved.entries) < BATCH_BYTES + 5_000
    assert await lobby.archive.archive_once() == len(texts) + 40
    assert len(written) > 1
    assert max(written) < BATCH_BYTES + 4_000
    found = await documents.find("messages", {"room": ROOM}, sort=[("_id", 1)], limit=100)
    assert [one["text"] for one in found] == texts


async def test_a_stream_keeps_its_tail_and_no_changes_of_what_left_it(lobby: Lobby) -> None:
    said = await lobby.say_some(TAIL * 3)
    for message_id in said:
        await lobby.edit(message_id, "edited")
    await lobby.archive.archive_once()
    assert await lobby.in_stream() == TAIL
    kept = await lobby.redis.call("HKEYS", messages.changes(ROOM))
    assert sorted(kept) == sorted(message_id.entry for message_id in said[-TAIL:])


async def test_a_change_is_archived_however_many_messages_a_millisecond_has(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tenth of a millisecond is before the ninth where texts are compared."""
    at_once = Script("chat_send")
    at_once.text = at_once.text.replace("'*', 'm'", "'1700000000000-*', 'm'")
    at_once.sha = sha1(at_once.text.encode(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(state.chat, "SEND", at_once)
    said = await lobby.say_some(TAIL * 3)
    assert len({one.ms for one in said}) == 1
    for message_id in said:
        await lobby.edit(message_id, "edited")
    await lobby.archive.archive_once()
    assert [one["text"] for one in await lobby.stored()] == ["edited"] * len(said)
    assert await lobby.in_stream() == TAIL


async def test_nothing_leaves_a_stream_before_it_is_archived(lobby: Lobby) -> None:
    await lobby.say_some(TAIL * 3)
    assert await lobby.in_stream() == TAIL * 3


async def test_a_quiet_room_leaves_redis_and_stays_readable(lobby: Lobby) -> None:
    said = await lobby.say_some(TAIL + 2)
    await lobby.edit(said[-1], "edited")
    await lobby.archive.archive_once()
    left = await lobby.redis.call("KEYS", "*")
    assert sorted(set(left) & set(messages.kept_together(ROOM))) == sorted(
        messages.kept_together(ROOM)
    )
    for key in left:
        assert await lobby.redis.call("PTTL", key) > 0
    await lobby.redis.call("DEL", *left)
    assert await lobby.read_all(3) == list(lobby.model.values())
    await lobby.say("after a while")
    assert await lobby.read_all(3) == list(lobby.model.values())


@pytest.mark.parametrize("news", ["a message", "an edit"])
async def test_a_room_with_news_stays_in_redis(lobby: Lobby, news: str) -> None:
    (first,) = await lobby.say_some(1)
    await lobby.edit(first, "edited")
    await lobby.archive.archive_once()
    await (lobby.say() if news == "a message" else lobby.edit(first, "edited again"))
    ttls = [await lobby.redis.call("PTTL", key) for key in messages.kept_together(ROOM)]
    assert ttls == [-1, -1, -1]


async def test_two_archivers_write_each_message_once(lobby: Lobby, stores: Stores) -> None:
    async with RedisStore(stores.redis_url, Redis()) as redis:
        other = Archive(lobby.documents, redis, lobby.config)
        for room in (f"room:{n}" for n in range(30)):
            await lobby.say(room=room)
        await lobby.say_some(20)
        passes = await asyncio.gather(
            *(archive.archive_once() for archive in (lobby.archive, other) * 4)
        )
    assert sum(passes) == 50
    assert await lobby.stored() == list(lobby.model.values())


# Dying on the way


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
async def test_nothing_is_lost_wherever_an_archiver_dies(lobby: Lobby, *, late: bool) -> None:
    for deadly in count(1):
        await lobby.clear()
        if not await _dies_at(lobby, deadly, late=late):
            break
    assert deadly > 10  # it had that many places to die at


async def _dies_at(lobby: Lobby, deadly: int, *, late: bool) -> bool:
    """Whether an archiver that dies at that call of a store gets so far."""
    calls = count(1)

    async def fate() -> None:
        if next(calls) == deadly:
            raise Died

    said = await lobby.say_some(TAIL + BATCH + 1)
    await lobby.edit(said[0], "edited")
    died = False
    try:
        await doomed(lobby, fate, late=late).archive_once()
    except Died:
        died = True
    await lobby.edit(said[0], "edited again")
    await lobby.delete(said[-1])
    await lobby.say("after the crash")
    assert await lobby.read_all(2) == list(lobby.model.values())
    await lobby.end_leases()
    await lobby.archive.archive_once()
    assert await lobby.stored() == list(lobby.model.values())
    assert await lobby.read_all(2) == list(lobby.model.values())
    assert await lobby.in_stream() == TAIL
    assert await lobby.redis.call("EXISTS", messages.DIRTY, messages.pending(ROOM)) == 0
    return died


async def test_a_room_is_left_to_one_archiver_until_its_lease_ends(lobby: Lobby) -> None:
    async def fate() -> None:
        raise Died

    await lobby.say()
    with pytest.raises(Died):
        await doomed(lobby, fate, late=True).archive_once()
    assert await lobby.archive.archive_once() == 0
    await lobby.end_leases()
    assert await lobby.archive.archive_once() == 1


# The steps of a pass are to claim, read, insert, update if there is anything, and settle.


@pytest.mark.parametrize("step", range(1, 14))  # of three passes
@pytest.mark.parametrize("more", [0, 1])
async def test_what_is_said_and_edited_between_two_steps_of_an_archiver_is_kept(
    lobby: Lobby, step: int, more: int
) -> None:
    said = await lobby.say_some(TAIL + 2)
    await lobby.edit(said[0], "edited")
    calls = count(1)

    async def meanwhile() -> None:
        if next(calls) == step:
            await lobby.edit(said[0], "edited meanwhile")
            await lobby.edit(said[-1], "edited meanwhile")
            await lobby.say_some(more)

    await doomed(lobby, meanwhile, late=True).archive_once()
    assert next(calls) > step
    assert await lobby.read_all(2) == list(lobby.model.values())
    await lobby.archive.archive_once()
    assert await lobby.stored() == list(lobby.model.values())
    assert await lobby.in_stream() == TAIL


@pytest.mark.parametrize("step", range(1, 7))  # of one pass, and the next one's claim
async def test_an_archiver_that_outlives_its_lease_spoils_nothing(lobby: Lobby, step: int) -> None:
    said = await lobby.say_some(BATCH)
    await lobby.edit(said[0], "edited")
    calls = count(1)

    async def meanwhile() -> None:
        if next(calls) == step:
            await lobby.edit(said[0], "edited meanwhile")
            await lobby.edit(said[1], "edited meanwhile")
            await lobby.say("meanwhile")
            await lobby.end_leases()
            await lobby.archive.archive_once()
            await lobby.edit(said[0], "edited at last")
            await lobby.edit(said[1], "edited at last")

    await doomed(lobby, meanwhile, late=True).archive_once()
    await lobby.end_leases()
    await lobby.archive.archive_once()
    assert next(calls) > step
    assert await lobby.stored() == list(lobby.model.values())
    assert await lobby.read_all(2) == list(lobby.model.values())


async def test_what_really_fails_in_the_archive_is_no_success(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lobby.say()
    too_long = "x" * 17_000_000  # more than a document may have

    def broken(stored: messages.Stored) -> dict[str, Any]:
        return {"_id": stored.message["id"], "text": too_long}

    with monkeypatch.context() as patch:
        patch.setattr(messages, "to_document", broken)
        with pytest.raises(Exception, match=r"(?i)large|size|16"):
            await lobby.archive.archive_once()
    await lobby.end_leases()
    assert await lobby.archive.archive_once() == 1
    assert await lobby.stored() == list(lobby.model.values())
