"""Writing in rooms, who is in them, who may not speak: on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from config.sections import Redis
from config.settings import Settings
from game.chat import Author
from game.errors import Conflict, DependencyUnavailable, Muted
from state import messages
from state.chat import Chat, Refused, Sent
from state.connect import RedisStore
from tests.fixtures import Stores

ANN, BOB = Author(id="a" * 20, name="Ann"), Author(id="b" * 20, name="Bob")
SETTINGS = Settings()
MESSAGES = SETTINGS.limits.chat_messages
WINDOW_MS = int(SETTINGS.limits.chat_window_seconds * 1000)
LADDER_MS = [seconds * 1000 for seconds in SETTINGS.chat.mute_seconds]


@pytest.fixture
def chat(redis: RedisStore) -> Chat:
    return Chat(redis, SETTINGS)


@pytest.fixture
async def elsewhere(stores: Stores, redis: RedisStore) -> AsyncIterator[Chat]:
    """The same chat on another node; its Redis was emptied before."""
    async with RedisStore(stores.redis_url, Redis()) as store:
        yield Chat(store, SETTINGS)


async def say(chat: Chat, text: str = "hi", *, room: str = "global", by: Author = ANN) -> Sent:
    sent = await chat.send(room, by, text)
    assert isinstance(sent, Sent)
    return sent


async def fill(chat: Chat, by: Author = ANN) -> None:
    """Say as much as the window allows."""
    for _ in range(MESSAGES):
        await say(chat, by=by)


async def refuse(chat: Chat) -> Refused:
    refused = await chat.send("global", ANN, "hi")
    assert isinstance(refused, Refused)
    return refused


async def refuse_until_muted(chat: Chat) -> Refused:
    for _ in range(SETTINGS.chat.mute_refusals - 1):
        assert (await refuse(chat)).muted_until is None
    return await refuse(chat)


async def pass_time(redis: RedisStore, ms: int) -> None:
    """Move what the limits remember of Ann so far into the past, and what expires."""
    for kind in ("rate", "refusals"):
        key = f"{{chat}}:{kind}:{ANN['id']}"
        for index, then in enumerate(await redis.call("LRANGE", key, 0, -1)):
            await redis.call("LSET", key, index, int(then) - ms)
    for kind in ("rate", "refusals", "mute", "ladder"):
        key = f"{{chat}}:{kind}:{ANN['id']}"
        left = await redis.call("PTTL", key)
        if left > 0:
            await redis.call("PEXPIRE", key, max(left - ms, 0))


# Sending


async def test_a_message_is_what_was_said_and_when(chat: Chat, redis: RedisStore) -> None:
    seconds, _ = await redis.call("TIME")
    sent = await say(chat, 'grüß \n"Gott" %s {}', room="room:cafe")
    assert sent.fresh
    assert abs(sent.message["sent_at"] - int(seconds) * 1000) < 5_000
    assert sent.message == {
        "id": sent.message["id"],
        "room": "room:cafe",
        "from": ANN,
        "text": 'grüß \n"Gott" %s {}',
        "sent_at": sent.message["sent_at"],
    }


async def test_ids_sort_as_the_messages_were_sent(chat: Chat) -> None:
    sent = [await say(chat, by=Author(id=f"{n:020x}", name="N")) for n in range(50)]
    ids = [one.message["id"] for one in sent]
    assert ids == sorted(set(ids))


async def test_the_same_client_id_gives_the_first_message_again(chat: Chat) -> None:
    first = await chat.send("global", ANN, "first", "c1")
    again = await chat.send("global", ANN, "second", "c1")
    in_another_room = await chat.send("trade", ANN, "third", "c1")
    of_another_player = await chat.send("global", BOB, "fourth", "c1")
    assert isinstance(first, Sent)
    assert again == in_another_room == Sent(first.message, fresh=False)
    assert isinstance(of_another_player, Sent)
    assert of_another_player.fresh


async def test_a_repeated_client_id_is_neither_counted_nor_refused(chat: Chat) -> None:
    first = await chat.send("global", ANN, "first", "c1")
    assert isinstance(first, Sent)
    again = Sent(first.message, fresh=False)
    for _ in range(MESSAGES - 1):
        assert await chat.send("global", ANN, "first", "c1") == again
        await say(chat)
    await refuse_until_muted(chat)
    assert await chat.send("global", ANN, "first", "c1") == again


async def test_fifty_parallel_sends_of_one_client_id_are_one_message(
    chat: Chat, elsewhere: Chat, redis: RedisStore
) -> None:
    sends = [
        node.send("global", ANN, f"no {n}", "c1") for n in range(25) for node in (chat, elsewhere)
    ]
    sent = await asyncio.gather(*sends)
    assert sum(one.fresh for one in sent if isinstance(one, Sent)) == 1
    assert len({one.message["id"] for one in sent if isinstance(one, Sent)}) == 1
    assert len(sent) == 50
    assert await redis.call("XLEN", messages.stream("global")) == 1


async def test_a_send_is_one_round_trip(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    await say(chat)  # loads the script
    trips = []

    async def counted(self: RedisStore, *args: Any, original: Any = RedisStore.run) -> Any:
        trips.append(args)
        return await original(self, *args)

    async def forbidden(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(RedisStore, "run", counted)
    monkeypatch.setattr(RedisStore, "call", forbidden)
    monkeypatch.setattr(RedisStore, "batch", forbidden)
    await chat.send("global", ANN, "hi", "c1")
    assert len(trips) == 1


# Limits


async def test_exactly_the_allowed_messages_of_parallel_callers_pass(
    chat: Chat, elsewhere: Chat, redis: RedisStore
) -> None:
    async def attempt(node: Chat, room: str) -> object:
        try:
            return await node.send(room, ANN, "hi")
        except Muted as muted:
            return muted

    outcomes = await asyncio.gather(
        *(
            attempt(node, room)
            for _ in range(10)
            for node in (chat, elsewhere)
            for room in ("global", "trade")
        )
    )
    assert sum(isinstance(one, Sent) for one in outcomes) == MESSAGES
    refused = [one for one in outcomes if isinstance(one, Refused)]
    assert len(refused) == SETTINGS.chat.mute_refusals
    assert sum(one.muted_until is not None for one in refused) == 1
    written = [await redis.call("XLEN", messages.stream(room)) for room in ("global", "trade")]
    assert sum(written) == MESSAGES


async def test_the_window_slides(chat: Chat, redis: RedisStore) -> None:
    await say(chat)
    await pass_time(redis, WINDOW_MS - 1_000)
    for _ in range(MESSAGES - 1):
        await say(chat)
    refused = await refuse(chat)
    assert 0 < (refused.error.retry_after or 0) <= 1
    await pass_time(redis, 1_000)
    await say(chat)
    refused = await refuse(chat)
    assert WINDOW_MS / 1000 - 1.5 < (refused.error.retry_after or 0) <= WINDOW_MS / 1000


async def test_another_player_is_not_limited(chat: Chat) -> None:
    await fill(chat)
    await refuse(chat)
    await say(chat, by=BOB)


async def test_the_third_refusal_mutes_longer_each_time(chat: Chat, redis: RedisStore) -> None:
    for mute_ms in (*LADDER_MS, LADDER_MS[-1]):
        await fill(chat)
        refused = await refuse_until_muted(chat)
        assert refused.error.code == "rate_limited"
        assert refused.error.retry_after == mute_ms / 1000
        assert await chat.muted_until(ANN["id"]) == refused.muted_until
        with pytest.raises(Muted) as muted:
            await say(chat)
        assert mute_ms / 1000 - 1 < (muted.value.retry_after or 0) <= mute_ms / 1000
        await pass_time(redis, mute_ms)
        assert await chat.muted_until(ANN["id"]) is None


async def test_what_was_refused_before_a_mute_counts_no_more_after_it(redis: RedisStore) -> None:
    short = SETTINGS.chat.model_copy(update={"mute_seconds": (10,)})
    chat = Chat(redis, SETTINGS.model_copy(update={"chat": short}))
    await fill(chat)
    await refuse_until_muted(chat)
    await pass_time(redis, 10_000)
    await fill(chat)
    assert (await refuse_until_muted(chat)).muted_until is not None


async def test_refusals_of_more_than_a_minute_do_not_mute(chat: Chat, redis: RedisStore) -> None:
    for _ in range(SETTINGS.chat.mute_refusals + 1):
        await fill(chat)
        assert (await refuse(chat)).muted_until is None
        await pass_time(redis, 31_000)


async def test_the_ladder_starts_anew_after_a_quiet_hour(chat: Chat, redis: RedisStore) -> None:
    quiet_ms = SETTINGS.chat.quiet_seconds * 1000
    await fill(chat)
    await refuse_until_muted(chat)
    await pass_time(redis, LADDER_MS[0] + quiet_ms - 60_000)
    await fill(chat)
    await refuse(chat)  # not quiet: the hour begins again
    await pass_time(redis, quiet_ms - 60_000)
    await fill(chat)
    second = await refuse_until_muted(chat)
    assert second.error.retry_after == LADDER_MS[1] / 1000
    await pass_time(redis, LADDER_MS[1] + quiet_ms)
    await fill(chat)
    third = await refuse_until_muted(chat)
    assert third.error.retry_after == LADDER_MS[0] / 1000


async def test_a_moderator_mutes_and_unmutes(chat: Chat, redis: RedisStore) -> None:
    seconds, _ = await redis.call("TIME")
    until = int(seconds) * 1000 + 90_000
    await chat.mute(ANN["id"], until)
    assert await chat.muted_until(ANN["id"]) == until
    with pytest.raises(Muted) as muted:
        await say(chat)
    assert 85 < (muted.value.retry_after or 0) <= 91
    await chat.unmute(ANN["id"])
    assert await chat.muted_until(ANN["id"]) is None
    await say(chat)


async def test_unmuting_resets_the_ladder(chat: Chat, redis: RedisStore) -> None:
    for _ in range(2):
        await fill(chat)
        refused = await refuse_until_muted(chat)
        await chat.unmute(ANN["id"])
        await pass_time(redis, WINDOW_MS)
        assert refused.error.retry_after == LADDER_MS[0] / 1000


async def test_a_full_room_refuses_and_others_do_not(redis: RedisStore) -> None:
    few = SETTINGS.chat.model_copy(update={"buffer": 2})
    chat = Chat(redis, SETTINGS.model_copy(update={"chat": few}))
    await say(chat)
    await say(chat)
    for _ in range(MESSAGES):
        with pytest.raises(DependencyUnavailable):
            await say(chat)
    await say(chat, room="trade")  # the refused ones were not counted


async def test_what_limits_a_player_expires(chat: Chat, redis: RedisStore) -> None:
    await chat.send("global", ANN, "hi", "c1")
    for _ in range(MESSAGES - 1):
        await say(chat)
    await refuse_until_muted(chat)
    await refuse_after(redis, chat)
    room_keys = {*messages.kept_together("global"), messages.DIRTY}
    for key in await redis.call("KEYS", "*"):
        assert key in room_keys or await redis.call("PTTL", key) > 0


async def refuse_after(redis: RedisStore, chat: Chat) -> None:
    """Be refused once more when the mute is over, so that all kinds of keys are there."""
    await pass_time(redis, LADDER_MS[0])
    await fill(chat)
    await refuse(chat)


# Members


async def test_a_player_is_in_a_room_until_his_last_socket_leaves(
    chat: Chat, redis: RedisStore
) -> None:
    for sid in ("s1", "s2", "s1"):
        await chat.join(sid, ANN["id"], "global")
    await chat.join("s3", BOB["id"], "global")
    assert await chat.members("global") == ([ANN["id"], BOB["id"]], 2)
    await chat.leave("s1", "global")
    await chat.leave("s1", "global")
    assert await chat.members("global") == ([ANN["id"], BOB["id"]], 2)
    await chat.leave("s2", "global")
    assert await chat.members("global") == ([BOB["id"]], 1)
    await chat.leave("s3", "global")
    assert await chat.members("global") == ([], 0)
    assert await redis.call("DBSIZE") == 0


async def test_a_socket_is_in_a_limited_number_of_rooms(chat: Chat) -> None:
    most = SETTINGS.limits.rooms_per_connection
    for n in range(most):
        await chat.join("s1", ANN["id"], f"room:{n}")
    with pytest.raises(Conflict):
        await chat.join("s1", ANN["id"], "global")
    await chat.join("s1", ANN["id"], "room:0")
    await chat.join("s2", ANN["id"], "global")
    await chat.leave("s1", "room:0")
    await chat.join("s1", ANN["id"], "trade")


async def test_parallel_joins_do_not_pass_the_limit(chat: Chat, elsewhere: Chat) -> None:
    most = SETTINGS.limits.rooms_per_connection
    joins = [
        node.join("s1", ANN["id"], f"room:{n}")
        for n, node in zip(range(most + 20), [chat, elsewhere] * most, strict=False)
    ]
    outcomes = await asyncio.gather(*joins, return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in outcomes) == 20


async def test_a_socket_that_is_gone_leaves_nothing_behind(chat: Chat, redis: RedisStore) -> None:
    for room in ("global", "trade", "room:cafe"):
        await chat.join("s1", ANN["id"], room)
        await chat.join("s2", BOB["id"], room)
    await chat.leave_all("s1")
    await chat.leave_all("s1")
    assert await chat.members("trade") == ([BOB["id"]], 1)
    await chat.leave_all("s2")
    assert await redis.call("DBSIZE") == 0


async def test_the_first_hundred_members_are_shown_and_all_are_counted(chat: Chat) -> None:
    players = [f"{n:020x}" for n in range(120)]
    for player in players:
        await chat.join(f"s{player}", player, "global")
    shown, count = await chat.members("global")
    assert (shown, count) == (players[:100], 120)
