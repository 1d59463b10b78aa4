"""The log and the sessions on a real Redis: what is said to be complete is, whatever is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha1
from itertools import count
from typing import Any

import pytest

import state.recovery
from config.sections import Limits, Redis
from config.sections import Recovery as RecoverySettings
from state.connect import RedisStore, Script
from state.recovery import (
    EPOCH,
    IDS_PER_MS,
    LAST,
    PREFIX,
    Event,
    Recovery,
    Taken,
    channel,
    new_pid,
    new_token,
    room_field,
    watch_field,
)
from tests.fixtures import Stores

LIMITS = Limits(ping_seconds=25, ping_timeout_seconds=20)  # silence: 60 s with the slack
KEPT, WINDOW_MS, SILENCE_MS = 200, 120_000, 60_000
RETENTION_MS = WINDOW_MS + SILENCE_MS
PER_NODE = 100  # entries of a stream that Redis trims at once
ANN, BOB = "ann", "bob"
ROOM, OTHER = "chat:one", "chat:two"
_connections = count(1)


def recovery_on(redis: RedisStore, **settings: float) -> Recovery:
    given = {"seconds": WINDOW_MS / 1000, "events_per_room": KEPT, "events_per_session": 500}
    return Recovery(redis, RecoverySettings.model_validate(given | settings), LIMITS)


@pytest.fixture
def recovery(redis: RedisStore) -> Recovery:
    return recovery_on(redis)


@pytest.fixture
async def elsewhere(redis: RedisStore, stores: Stores) -> AsyncIterator[Recovery]:
    async with RedisStore(stores.redis_url, Redis()) as store:
        yield recovery_on(store)


async def say(
    recovery: Recovery, text: str = "x", room: str = ROOM, skip: str | None = None
) -> int:
    return await recovery.publish(room, f'2["e",{{"t":"{text}"}}', skip, new_token())


async def say_many(recovery: Recovery, number: int, room: str = ROOM) -> list[int]:
    return [await say(recovery, str(n), room) for n in range(number)]


async def now(redis: RedisStore) -> int:
    seconds, micros = await redis.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


def ids(events: list[Event]) -> list[int]:
    return [event.id for event in events]


async def open_session(recovery: Recovery, *rooms: str, player: str = ANN) -> tuple[str, str]:
    """A new session: its pid and its connection."""
    pid, connection = new_pid(), f"n1.{next(_connections)}"
    await recovery._redis.ask(
        [recovery.opening(pid, f"sid-{pid}", connection, player, rooms or (ROOM,))]
    )
    return pid, connection


async def claim(
    recovery: Recovery, pid: str, offset: str | None = None, player: str = ANN, seen: int = 0
) -> Taken | None:
    async def last_seen(_: str) -> int:
        return seen

    return await recovery.claim(pid, offset, player, f"n2.{next(_connections)}", last_seen)


async def grown(redis: RedisStore, pid: str, ms: int) -> None:
    """The session's connection is older than it is, by so many ms."""
    key = f"{PREFIX}session:{pid}"
    fields = await redis.call("HMGET", key, "since", "start")
    since, start = int(fields[0]) - ms, int(fields[1]) - ms * IDS_PER_MS
    await redis.call("HSET", key, "since", since, "start", start, room_field(ROOM), start)


# Events


async def test_ids_are_unique_and_grow_over_rooms_stores_and_publishers(
    recovery: Recovery, elsewhere: Recovery
) -> None:
    async def publisher(number: int) -> list[int]:
        here = (recovery, elsewhere)[number % 2]
        return [await say(here, f"{number}", f"room {n % 3}") for n in range(20)]

    given = await asyncio.gather(*map(publisher, range(50)))
    everything = sorted(one for some in given for one in some)
    assert len(set(everything)) == 1000
    assert all(some == sorted(some) for some in given)
    rooms = {f"room {n}": 0 for n in range(3)}
    since = await recovery_on(elsewhere._redis, events_per_session=2000).since(rooms, 0)
    kept = ids(since.events)
    assert kept == sorted(kept)
    assert set(kept) <= set(everything)
    assert since.last == everything[-1] == (await recovery.position())[1]


async def test_a_subscriber_hears_an_event_with_its_offset_and_who_is_left_out(
    recovery: Recovery, redis: RedisStore
) -> None:
    pushes: asyncio.Queue[list[Any]] = asyncio.Queue()
    async with redis.subscription(pushes.put_nowait) as line:
        line.add([channel(ROOM)])
        assert (await pushes.get())[0] == "subscribe"
        number = await say(recovery, "hello", skip="sid")
        await recovery.whisper(ROOM, '2["typing"]', "sid", "node")
        epoch, last = await recovery.position()
        assert last == number
        packet = f'2["e",{{"t":"hello"}},"{epoch}-{number}"]'
        assert await pushes.get() == ["message", channel(ROOM), f"{number} sid {packet}"]
        assert await pushes.get() == ["message", channel(ROOM), '0 node/sid 2["typing"]']
    since = await recovery.since({ROOM: 0}, await now(redis))
    assert since.events == [Event(number, "sid", packet, ROOM)]


async def test_what_is_tried_again_is_published_once(
    recovery: Recovery, elsewhere: Recovery, redis: RedisStore
) -> None:
    token, late, marked = new_token(), new_token(), new_token()
    first = await recovery.publish(ROOM, '2["e"', None, token)
    others = await say_many(elsewhere, 10)
    for _ in range(2):
        assert await recovery.publish(ROOM, '2["e"', None, token, 0) == 0
    new = await recovery.publish(ROOM, '2["e"', None, late, 0)
    assert await recovery.publish(ROOM, '2["e"', None, late, 0) == 0
    at = await now(redis)
    both = [one.publish(ROOM, '2["e"', None, marked, at) for one in (recovery, elsewhere)]
    newest = sorted(await asyncio.gather(*both))
    assert newest[0] == 0
    elsewhere_too = await recovery.publish(OTHER, '2["e"', None, marked, at)
    since = await recovery.since({ROOM: 0, OTHER: 0}, at)
    assert ids(since.events) == [first, *others, new, newest[1], elsewhere_too]


async def test_rooms_are_read_from_an_id_of_their_own_and_in_one_order(
    recovery: Recovery, redis: RedisStore
) -> None:
    rooms = [f"room {n}" for n in range(150)]  # more than are asked for at once
    first = {room: await say(recovery, room=room) for room in rooms}
    second = [await say(recovery, room=room) for room in reversed(rooms)]
    since = await recovery.since(first, await now(redis))
    assert since.complete
    assert ids(since.events) == second
    assert [event.room for event in since.events] == rooms[::-1]
    assert since.last == second[-1]


# What is complete


async def test_nothing_trimmed_is_complete(recovery: Recovery, redis: RedisStore) -> None:
    sent = await say_many(recovery, 30)
    since = await recovery.since({ROOM: sent[9], OTHER: sent[9]}, 0)
    assert since.complete
    assert ids(since.events) == sent[10:]
    assert (await recovery.since({ROOM: sent[-1]}, 0)).events == []


async def test_trimmed_by_count_is_complete_from_the_first_that_is_kept(
    recovery: Recovery, redis: RedisStore
) -> None:
    sent = await say_many(recovery, KEPT + 2 * PER_NODE)
    kept = [int(entry[0].partition("-")[0]) for entry in await _entries(redis)]
    assert kept == sent[-len(kept) :]
    assert KEPT <= len(kept) < len(sent)
    assert (await recovery.since({ROOM: kept[0]}, 0)).complete
    assert ids((await recovery.since({ROOM: kept[0]}, 0)).events) == kept[1:]
    before = sent[sent.index(kept[0]) - 1]
    assert not (await recovery.since({ROOM: before}, 0)).complete
    # Who has answered a ping since has what is trimmed.
    assert (await recovery.since({ROOM: before}, await now(redis) + 1)).complete
    # One room with a gap is a gap.
    assert not (await recovery.since({OTHER: before, ROOM: before}, 0)).complete
    assert (await recovery.since({OTHER: before}, 0)).complete


async def _entries(redis: RedisStore) -> list[list[str]]:
    found: list[list[str]] = await redis.call("XRANGE", f"{PREFIX}room:{ROOM}", "-", "+")
    return found


async def test_trimmed_by_age_is_complete_for_whom_it_is_too_old(redis: RedisStore) -> None:
    """By the clock of ids: the room's first 150 events are older than events are kept."""
    recovery = recovery_on(redis)
    key, at = f"{PREFIX}room:{ROOM}", await now(redis)
    old = [(at - RETENTION_MS - 60_000 + n) * IDS_PER_MS for n in range(150)]
    await redis.batch([("XADD", key, f"{n}-0", "p", "x", "s", "-", "t", "") for n in old])
    await redis.call("SET", LAST, old[-1])
    new = await say(recovery)
    assert len(await _entries(redis)) < 151  # some went by age
    assert not (await recovery.since({ROOM: old[20]}, 0)).complete
    assert not (await recovery.since({ROOM: old[-1]}, 0)).complete  # nobody can know
    safe = (at - RETENTION_MS + 5_000) * IDS_PER_MS
    since = await recovery.since({ROOM: safe}, 0)
    assert (since.complete, ids(since.events)) == (True, [new])
    assert (await recovery.since({ROOM: old[20]}, at - RETENTION_MS + 5_000)).complete


async def test_a_stream_that_expired_is_a_gap_for_who_may_have_missed_it(
    redis: RedisStore,
) -> None:
    recovery = recovery_on(redis)
    at = await now(redis)
    long_ago = (at - RETENTION_MS - 5_000) * IDS_PER_MS
    for restarted in (False, True):
        if restarted:  # its own counts say that nothing was ever taken from it
            await say(recovery)
        assert not (await recovery.since({ROOM: long_ago}, 0)).complete
        assert (await recovery.since({ROOM: long_ago}, at - RETENTION_MS + 5_000)).complete
        assert (await recovery.since({ROOM: at * IDS_PER_MS}, 0)).complete


async def test_too_many_events_are_a_gap(redis: RedisStore) -> None:
    recovery = recovery_on(redis, events_per_session=50)
    sent = await say_many(recovery, 30) + await say_many(recovery, 21, OTHER)
    assert not (await recovery.since({ROOM: 0, OTHER: 0}, await now(redis))).complete
    since = await recovery.since({ROOM: sent[0], OTHER: sent[0]}, await now(redis))
    assert (since.complete, ids(since.events)) == (True, sent[1:])
    many = {f"room {n}": 0 for n in range(150)} | {ROOM: 0, OTHER: 0}
    assert not (await recovery.since(many, await now(redis))).complete


# Stores that lose something


async def test_an_emptied_store_holds_another_log(recovery: Recovery, redis: RedisStore) -> None:
    number = await say(recovery)
    epoch, _ = await recovery.position()
    pid, _ = await open_session(recovery)
    await redis.call("FLUSHALL")
    assert await claim(recovery, pid, f"{epoch}-{number}", seen=await now(redis)) is None
    other, last = await recovery.position()
    assert other != epoch
    assert last == number
    assert await say(recovery) > number


@pytest.mark.parametrize("asked", ["position", "publish"])
async def test_a_store_that_lost_its_tail_holds_another_log(
    recovery: Recovery, elsewhere: Recovery, redis: RedisStore, asked: str
) -> None:
    pid, connection = await open_session(recovery)
    first = await say(elsewhere)
    epoch, _ = await elsewhere.position()
    await recovery.left(pid, connection, await now(redis))
    lost = await say(recovery)  # only this node has heard it
    await redis.call("SET", LAST, first)
    await redis.call("XDEL", f"{PREFIX}room:{ROOM}", f"{lost}-0")
    if asked == "publish":
        assert await say(recovery) > lost
    assert (await recovery.position())[0] != epoch
    assert (await elsewhere.position())[0] == (await recovery.position())[0]
    assert await claim(recovery, pid, f"{epoch}-{first}") is None
    assert await say(elsewhere) > lost


async def test_who_knows_of_an_event_that_the_store_lost_begins_another_log(
    recovery: Recovery, elsewhere: Recovery, redis: RedisStore
) -> None:
    """As on a promoted replica that was restarted: others may have published since."""
    await say(elsewhere)
    lost = await say(recovery)
    epoch, _ = await recovery.position()
    await redis.call("XDEL", f"{PREFIX}room:{ROOM}", f"{lost}-0")
    assert await say(elsewhere) > lost
    assert (await elsewhere.position())[0] == epoch  # it cannot know
    other, _ = await recovery.position()
    assert other != epoch
    for node in (recovery, elsewhere):
        assert (await node.position())[0] == other


async def test_an_event_that_went_by_age_or_count_was_not_lost(
    recovery: Recovery, elsewhere: Recovery, redis: RedisStore
) -> None:
    first = await say(recovery)
    epoch, last = await recovery.position()
    old = recovery_on(redis)
    old.heard((first // IDS_PER_MS - RETENTION_MS - 1) * IDS_PER_MS, ROOM, epoch)
    assert await old.position() == (epoch, last)
    await say_many(elsewhere, KEPT + PER_NODE)
    assert f"{first}-0" not in [entry[0] for entry in await _entries(redis)]
    assert (await recovery.position())[0] == epoch


async def test_who_has_an_event_that_the_store_lost_begins_anew(
    elsewhere: Recovery, recovery: Recovery, redis: RedisStore
) -> None:
    pid, _ = await open_session(recovery)
    first, lost = await say(recovery), await say(recovery)
    epoch, _ = await recovery.position()
    await redis.call("SET", LAST, first)
    at = await now(redis)
    assert await claim(elsewhere, pid, f"{epoch}-{lost}", seen=at) is None
    assert await claim(elsewhere, pid, f"{epoch}-{first}", seen=at)


async def test_lost_events_end_all_sessions(recovery: Recovery, redis: RedisStore) -> None:
    pid, connection = await open_session(recovery)
    await recovery.left(pid, connection, await now(redis))
    await recovery.begin_anew()
    assert await claim(recovery, pid) is None


# Sessions


async def test_a_session_is_taken_up_with_its_rooms_and_watched_players(
    recovery: Recovery, redis: RedisStore
) -> None:
    pid, connection = await open_session(recovery, ROOM)
    number = await say(recovery)
    await recovery.note(pid, add=[room_field(OTHER), watch_field(BOB)])
    epoch, _ = await recovery.position()
    await recovery.left(pid, connection, await now(redis))
    taken = await claim(recovery, pid, f"{epoch}-{number}")
    assert taken
    assert (taken.sid, taken.connection, taken.epoch) == (f"sid-{pid}", connection, epoch)
    assert taken.watched == [BOB]
    assert taken.rooms[ROOM] == number
    assert taken.rooms[OTHER] >= number  # nothing from before it was joined
    assert await redis.call("TTL", f"{PREFIX}session:{pid}") == -1


async def test_who_has_received_nothing_goes_on_from_the_beginning(
    recovery: Recovery, redis: RedisStore
) -> None:
    await say(recovery, "before")
    pid, connection = await open_session(recovery)
    sent = await say_many(recovery, 3)
    await recovery.note(pid, add=[room_field(OTHER)])
    sent += await say_many(recovery, 3, OTHER)
    await recovery.left(pid, connection, await now(redis))
    taken = await claim(recovery, pid)
    assert taken
    since = await recovery.since(taken.rooms, taken.proven)
    assert (since.complete, ids(since.events)) == (True, sent)


async def test_a_new_session_hears_what_comes_after_its_beginning_if_the_clock_is_set_back(
    recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await say(recovery)
    (after,) = await recovery._redis.ask([recovery.opening(new_pid(), "sid", "n1.c", ANN, [ROOM])])
    behind = Script("log_publish")
    behind.text = behind.text.replace("now = now_ms()", "now = now_ms() - 5000")
    behind.sha = sha1(behind.text.encode(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(state.recovery, "PUBLISH", behind)
    assert before <= after < await say(recovery)


async def test_a_session_is_only_its_players(recovery: Recovery, redis: RedisStore) -> None:
    pid, connection = await open_session(recovery)
    await recovery.left(pid, connection, await now(redis))
    assert await claim(recovery, pid, player=BOB) is None
    assert await claim(recovery, new_pid()) is None
    for offset in ("", "-", "1", "other-1", "x-y", "-1", "other-99999999999999999999"):
        assert await claim(recovery, pid, offset) is None, offset
    epoch, _ = await recovery.position()
    assert await claim(recovery, pid, f"{epoch}-9999999999999999") is None
    assert await claim(recovery, pid)  # nothing of that harmed it


async def test_a_session_can_be_taken_up_for_as_long_as_the_window(
    recovery: Recovery, redis: RedisStore
) -> None:
    pid, connection = await open_session(recovery)
    at = await now(redis)
    await recovery.left(pid, connection, at - WINDOW_MS - 1)
    assert await claim(recovery, pid) is None
    await recovery.left(pid, connection, at - WINDOW_MS + 5_000)
    assert await claim(recovery, pid)
    await recovery.left(pid, connection, at)  # of the former connection: too late
    assert await redis.call("HGET", f"{PREFIX}session:{pid}", "left") is None


async def test_whose_end_nobody_noted_was_there_when_his_node_was(
    recovery: Recovery, redis: RedisStore
) -> None:
    pid, _ = await open_session(recovery)
    at = await now(redis)
    assert await claim(recovery, pid, seen=0) is None
    assert await claim(recovery, pid, seen=at - WINDOW_MS - 1) is None
    taken = await claim(recovery, pid, seen=at)
    assert taken
    assert taken.proven == 0


async def test_a_session_can_be_taken_up_twice_and_the_last_connection_counts(
    recovery: Recovery, redis: RedisStore
) -> None:
    pid, first = await open_session(recovery)
    await recovery.left(pid, first, await now(redis))
    second = await claim(recovery, pid)
    third = await claim(recovery, pid, seen=await now(redis))
    assert second
    assert third
    assert second.connection == first
    assert third.connection not in {first, second.connection}
    await recovery.left(pid, third.connection, await now(redis))  # the second's end
    assert await redis.call("TTL", f"{PREFIX}session:{pid}") == -1


async def test_a_connection_proves_only_what_it_was_old_enough_for(
    recovery: Recovery, redis: RedisStore
) -> None:
    """What was sent again on a connection that broke at once may never have arrived."""
    pid, connection = await open_session(recovery)
    await grown(redis, pid, 100_000)
    left = await now(redis) - 30_000
    await recovery.left(pid, connection, left)
    taken = await claim(recovery, pid)
    assert taken
    assert taken.proven == left - SILENCE_MS
    # The next connection breaks before it has answered a ping; so does the one after it.
    for _ in range(2):
        again = await claim(recovery, pid, seen=await now(redis))
        assert again
        assert again.proven == left - SILENCE_MS


async def test_what_is_noted_is_kept_and_forgotten_with_the_session(
    recovery: Recovery, redis: RedisStore
) -> None:
    pid, connection = await open_session(recovery)
    await recovery.note(pid, add=[room_field(OTHER), watch_field(BOB)])
    joined = await redis.call("HGET", f"{PREFIX}session:{pid}", room_field(OTHER))
    await say(recovery)
    await recovery.note(pid, add=[room_field(OTHER)])  # it was there already
    assert await redis.call("HGET", f"{PREFIX}session:{pid}", room_field(OTHER)) == joined
    await recovery.note(pid, drop=[room_field(OTHER), watch_field(BOB)])
    await recovery.left(pid, connection, await now(redis))
    taken = await claim(recovery, pid)
    assert taken
    assert (list(taken.rooms), taken.watched) == ([ROOM], [])
    await recovery.forget(pid)
    await recovery.note(pid, add=[room_field(OTHER)])  # a late handler's
    await recovery.left(pid, connection, await now(redis))
    assert await claim(recovery, pid) is None
    assert await redis.call("KEYS", f"{PREFIX}session:*") == []


async def test_everything_but_the_logs_own_keys_expires(
    recovery: Recovery, redis: RedisStore
) -> None:
    pid, connection = await open_session(recovery)
    await say(recovery)
    await recovery.left(pid, connection, await now(redis))
    for key in await redis.call("KEYS", f"{PREFIX}*"):
        ttl = await redis.call("PTTL", key)
        if key in {EPOCH, LAST}:
            assert ttl == -1
        elif ":room:" in key:
            assert RETENTION_MS - 10_000 < ttl <= RETENTION_MS
        else:
            assert WINDOW_MS - 10_000 < ttl <= WINDOW_MS
