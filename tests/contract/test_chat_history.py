"""What was said is read page by page, changed and reported: on real stores, with both drivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.sections import Mongo
from game.chat import ChatMessage, MessageId
from game.errors import Conflict, DependencyUnavailable, NotFound, StaleVersion
from state import messages
from state.archive import Archive
from state.connect import RedisStore
from state.documents import DocumentStore
from tests.contract.chat_kit import ROOM, TAIL, Lobby, Mortal, small


@pytest.fixture
async def lobby(redis: RedisStore, documents: DocumentStore) -> Lobby:
    lobby = Lobby(redis, documents, small())
    await lobby.clear()
    return lobby


@pytest.fixture
async def away() -> AsyncIterator[DocumentStore]:
    """A database that does not answer."""
    no_server = "mongodb://127.0.0.1:1/"
    async with DocumentStore(no_server, Mongo(timeout_seconds=0.05)) as store:
        yield store


# History

steps = st.lists(
    st.sampled_from(["say", "say", "say", "archive", "edit", "delete", "expire"]), max_size=30
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps, limit=st.integers(1, 12), which=st.randoms(use_true_random=False))
async def test_the_pages_have_each_message_once_and_in_order(
    lobby: Lobby, steps: Sequence[str], limit: int, which: Any
) -> None:
    await lobby.clear()
    for step in steps:
        await _do(lobby, step, which)
        assert await lobby.read_all(limit) == list(lobby.model.values())


async def _do(lobby: Lobby, step: str, which: Any) -> None:
    if step == "say":
        await lobby.say()
    elif step == "archive":
        await lobby.archive.archive_once()
    elif step == "expire":
        ttls = await lobby.redis.batch([("PTTL", key) for key in messages.kept_together(ROOM)])
        if all(ttl != -1 for ttl in ttls):  # else something of the room is not archived
            await lobby.redis.call("DEL", *messages.kept_together(ROOM))
    elif live := [one for one in lobby.model if not lobby.model[one].get("deleted")]:
        message_id = MessageId.parse(which.choice(live))
        await (lobby.edit(message_id, "edited") if step == "edit" else lobby.delete(message_id))


async def test_a_page_starts_before_any_id_of_the_room(lobby: Lobby) -> None:
    said = await lobby.say_some(TAIL * 2)
    await lobby.archive.archive_once()
    for n, message_id in enumerate(said):
        page = await lobby.archive.history(ROOM, message_id, 3)
        expected = [str(one) for one in said[max(0, n - 3) : n]]
        assert [message["id"] for message in page.messages] == expected
        assert page.next_before == (expected[0] if n > 3 else None)


async def test_an_empty_room_has_an_empty_history(lobby: Lobby) -> None:
    page = await lobby.archive.history("room:new", None, 50)
    assert (page.messages, page.next_before) == ([], None)


async def test_rooms_are_read_apart(lobby: Lobby) -> None:
    await lobby.say()
    await lobby.say("elsewhere", "trade")
    await lobby.archive.archive_once()
    await lobby.redis.call("FLUSHALL")
    assert [one["text"] for one in (await lobby.archive.history("trade", None, 9)).messages] == [
        "elsewhere"
    ]


async def test_the_tail_is_read_while_the_archive_is_away(
    lobby: Lobby, away: DocumentStore
) -> None:
    said = await lobby.say_some(4)
    alone = Archive(away, lobby.redis, lobby.config)
    page = await alone.history(ROOM, None, 3)
    assert page.messages == list(lobby.model.values())[1:]
    exact = await alone.history(ROOM, None, 4)
    assert exact.messages == list(lobby.model.values())
    assert exact.next_before == str(said[0])  # nobody knows whether there is more
    with pytest.raises(DependencyUnavailable):
        await alone.history(ROOM, None, 5)
    assert await alone.latest(ROOM, 50) == list(lobby.model.values())
    assert await lobby.archive.latest(ROOM, 2) == list(lobby.model.values())[2:]


async def test_while_the_archive_is_away_messages_wait_and_are_bounded(
    redis: RedisStore, documents: DocumentStore, away: DocumentStore
) -> None:
    lobby = Lobby(redis, documents, small(buffer=7))
    await lobby.clear()
    alone = Archive(away, redis, lobby.config)
    said = await lobby.say_some(7)
    with pytest.raises(DependencyUnavailable):
        await alone.archive_once()
    with pytest.raises(DependencyUnavailable):
        await lobby.say()
    await lobby.edit(said[0], "edited")  # takes no more room
    await lobby.end_leases()
    assert await lobby.archive.archive_once() == 7
    await lobby.say()
    assert await lobby.read_all(3) == list(lobby.model.values())


# Changes


@pytest.mark.parametrize("where", ["in the stream", "in the archive"])
async def test_a_change_is_seen_by_all_readers(lobby: Lobby, where: str) -> None:
    said = await lobby.say_some(TAIL + 2)
    if where == "in the archive":
        await lobby.archive.archive_once()
    edited = await lobby.edit(said[0], "edited 100 % {}\n 0 1")
    assert await lobby.archive.find(said[0]) == edited
    await lobby.edit(said[0], "edited again")
    deleted = await lobby.delete(said[0])
    assert deleted == await lobby.delete(said[0]) == await lobby.archive.find(said[0])
    assert (deleted["text"], deleted["deleted"]) == ("", True)
    with pytest.raises(Conflict):
        await lobby.edit(said[0], "back again")
    assert await lobby.read_all(3) == list(lobby.model.values())
    await lobby.archive.archive_once()
    assert await lobby.stored() == list(lobby.model.values())


async def test_a_message_that_is_deleted_again_gives_the_archiver_no_work(lobby: Lobby) -> None:
    (first,) = await lobby.say_some(1)
    await lobby.delete(first)
    await lobby.archive.archive_once()
    await lobby.delete(first)
    assert await lobby.redis.call("EXISTS", messages.DIRTY, messages.pending(ROOM)) == 0


async def test_nobody_changes_what_was_never_said(lobby: Lobby) -> None:
    nothing = MessageId(1_763_800_000_000, 0, ROOM)
    with pytest.raises(NotFound):
        await lobby.archive.find(nothing)
    with pytest.raises(NotFound):
        await lobby.edit(nothing, "edited")


@pytest.mark.parametrize("where", ["in the stream", "in the archive"])
async def test_of_parallel_changes_none_is_lost(lobby: Lobby, where: str) -> None:
    said = await lobby.say_some(TAIL + 1)
    if where == "in the archive":
        await lobby.archive.archive_once()

    def append(message: ChatMessage) -> ChatMessage:
        return {**message, "text": message["text"] + "+"}

    outcomes = await asyncio.gather(
        *(lobby.archive.change(said[0], append) for _ in range(12)), return_exceptions=True
    )
    done = [one for one in outcomes if not isinstance(one, BaseException)]
    assert all(isinstance(one, StaleVersion) for one in outcomes if isinstance(one, BaseException))
    message = await lobby.archive.find(said[0])
    assert message["text"] == "no 0" + "+" * len(done)
    assert len(done) >= 5


async def test_a_message_that_is_archived_meanwhile_is_changed_there(lobby: Lobby) -> None:
    said = await lobby.say_some(TAIL + 1)
    archived = False

    def slowly(message: ChatMessage) -> ChatMessage:
        return {**message, "text": "edited"}

    class Slow(Mortal):
        """Lets the message leave the stream once it was read there."""

    async def fate() -> None:
        nonlocal archived
        if not archived:
            archived = True
            await lobby.archive.archive_once()

    slow = Slow(lobby.redis, fate, late=True)
    archive = Archive(lobby.documents, cast("RedisStore", slow), lobby.config)
    changed = await archive.change(said[0], slowly)
    lobby.model[str(said[0])] = changed
    assert await lobby.stored() == list(lobby.model.values())
