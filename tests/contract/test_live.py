"""Seats, nodes and presence, on a real Redis and from two nodes at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable

import pytest

from config.sections import Limits, Redis
from game.errors import TooManyConnections
from state.connect import RedisStore
from state.duels import duel_of
from state.live import GONE, KEEP_SECONDS, NODES, Clock, Joined, Left, Live, Presence, Seat
from tests.fixtures import Stores

LIMITS = Limits(connections_per_account=5, connections_per_address=20)
LEASE = 5.0


@pytest.fixture
def live(redis: RedisStore) -> Live:
    return Live(redis, LIMITS, "n1", LEASE)


@pytest.fixture
async def other(stores: Stores, live: Live) -> AsyncIterator[Live]:
    """Another node, with connections of its own."""
    del live  # its Redis was emptied first
    async with RedisStore(stores.redis_url, Redis()) as store:
        yield Live(store, LIMITS, "n2", LEASE)


def seat(
    node: Live, name: str, player: str = "ann", *, account: str = "", address: str = "::1"
) -> Seat:
    connection, account_id = f"{node.node}.{name}", account or f"account of {player}"
    return Seat(connection, f"pid of {name}", player, player.title(), account_id, address)


async def join(node: Live, name: str, player: str = "ann", *, address: str = "::1") -> Joined:
    return await node.join(seat(node, name, player, address=address))


async def keys(redis: RedisStore, pattern: str = "*") -> set[str]:
    return set(await redis.call("KEYS", pattern))


async def counts(redis: RedisStore) -> dict[str, int]:
    """Every count of connections that Redis has, by key."""
    found = await keys(redis, "{live}:a[cd]*")
    return {key: int(await redis.call("GET", key)) for key in found}


async def refused(*joins: Awaitable[object]) -> list[str]:
    """What those joins that were refused were told."""
    outcomes = await asyncio.gather(*joins, return_exceptions=True)
    errors = [one for one in outcomes if isinstance(one, BaseException)]
    assert all(isinstance(one, TooManyConnections) for one in errors), errors
    return [str(one) for one in errors]


async def age(redis: RedisStore, node: str, seconds: float) -> int:
    """Move a node's last beat into the past; says when that was."""
    beat = int(float(await redis.call("ZSCORE", NODES, node)) - seconds * 1000)
    await redis.call("ZADD", NODES, beat, node)
    return beat


# Coming and going


async def test_a_join_counts_the_socket_everywhere_and_its_leave_takes_all_of_it_back(
    live: Live, redis: RedisStore
) -> None:
    joined = await live.join(seat(live, "s1"))
    assert joined.sockets == 1
    assert await counts(redis) == {"{live}:account:account of ann": 1, "{live}:address:::1": 1}
    left = await live.leave("n1.s1")
    assert left is not None
    assert (left.player_id, left.account_id, left.name) == ("ann", "account of ann", "Ann")
    assert (left.connection, left.sockets, left.seq) == ("n1.s1", 0, joined.seq + 1)
    await live.bury("n1", int(await redis.call("ZSCORE", NODES, "n1")))
    assert await keys(redis) == {"{live}:player:ann"}


async def test_a_second_join_of_the_same_socket_changes_nothing(
    live: Live, redis: RedisStore
) -> None:
    first = await live.join(seat(live, "s1"))
    assert await live.join(seat(live, "s1")) == first
    assert set((await counts(redis)).values()) == {1}


async def test_parallel_joins_of_one_socket_count_once(
    live: Live, other: Live, redis: RedisStore
) -> None:
    await asyncio.gather(*(live.join(seat(live, "s1")) for _ in range(25)))
    assert set((await counts(redis)).values()) == {1}
    await asyncio.gather(*(other.join(seat(other, "s2")) for _ in range(25)))
    assert set((await counts(redis)).values()) == {2}


async def test_of_fifty_parallel_joins_an_account_gets_its_share_exactly(
    live: Live, other: Live, redis: RedisStore
) -> None:
    joins = [join((live, other)[n % 2], f"s{n}", address=f"10.0.0.{n}") for n in range(50)]
    told = await refused(*joins)
    assert told == ["Too many connections from one account."] * 45
    assert (await counts(redis))["{live}:account:account of ann"] == 5
    assert len(await live.seats()) + len(await other.seats()) == 5
    # What was refused left nothing behind: no address of theirs is counted.
    assert len(await keys(redis, "{live}:address:*")) == 5


async def test_of_fifty_parallel_joins_an_address_gets_its_share_exactly(
    live: Live, other: Live, redis: RedisStore
) -> None:
    joins = [join((live, other)[n % 2], f"s{n}", f"p{n}") for n in range(50)]
    told = await refused(*joins)
    assert told == ["Too many connections from one address."] * 30
    assert (await counts(redis))["{live}:address:::1"] == 20
    assert len(await keys(redis, "{live}:account:*")) == 20
    assert len(await keys(redis, "{live}:player:*")) == 20


async def test_a_place_that_was_given_back_can_be_taken_again(live: Live) -> None:
    for n in range(5):
        await live.join(seat(live, f"s{n}"))
    with pytest.raises(TooManyConnections):
        await live.join(seat(live, "s5"))
    await live.leave("n1.s0")
    assert (await live.join(seat(live, "s5"))).sockets == 5


async def test_of_many_who_give_a_seat_back_one_does(
    live: Live, other: Live, redis: RedisStore
) -> None:
    await live.join(seat(live, "s1"))
    await live.join(seat(live, "s2"))
    leaves = [(live, other)[n % 2].leave("n1.s1") for n in range(50)]
    gone = [left for left in await asyncio.gather(*leaves) if left]
    assert len(gone) == 1
    assert gone[0].sockets == 1
    assert set((await counts(redis)).values()) == {1}


async def test_whatever_the_order_of_comings_and_goings_the_end_is_empty(
    live: Live, other: Live, redis: RedisStore
) -> None:
    dice = random.Random(2)

    async def visit(n: int) -> None:
        node = dice.choice((live, other))
        one = seat(node, f"s{n}", f"p{n % 7}", account=f"a{n}", address=f"10.0.0.{n % 9}")
        await node.join(one)
        await asyncio.gather(*(node.leave(one.connection) for _ in range(dice.randint(1, 3))))

    await asyncio.gather(*(visit(n) for n in range(150)))
    assert await keys(redis) == {NODES, *(f"{{live}}:player:p{n}" for n in range(7))}
    for n in range(7):
        record = await redis.call("HGETALL", f"{{live}}:player:p{n}")
        assert set(record) == {"name", "status", "sockets", "seq", "seen"}
        assert record["sockets"] == "0"


async def test_the_sequence_grows_when_a_player_comes_or_goes_and_not_with_each_socket(
    live: Live, other: Live
) -> None:
    assert (await live.join(seat(live, "s1"))).seq == 1
    assert (await other.join(seat(other, "s2"))).seq == 1
    assert _seq(await live.leave("n1.s1")) == 1
    assert _seq(await other.leave("n2.s2")) == 2
    assert (await live.join(seat(live, "s3"))).seq == 3


def _seq(left: Left | None) -> int:
    return left.seq if left else -1


async def test_a_departure_that_is_told_late_keeps_its_time(live: Live) -> None:
    await live.join(seat(live, "s1"))
    left = await live.leave("n1.s1", at=1_234)
    assert left is not None
    assert left.at == 1_234
    assert (await live.presence(["ann"]))["ann"].last_seen == 1_234


async def test_a_players_record_is_kept_while_he_is_here_and_a_month_after(
    live: Live, redis: RedisStore
) -> None:
    await live.join(seat(live, "s1"))
    await live.join(seat(live, "s2"))
    await live.leave("n1.s1")
    # However long he stays: without the record he would be taken for offline.
    assert await redis.call("TTL", "{live}:player:ann") == -1
    await live.leave("n1.s2")
    assert 0 < KEEP_SECONDS - await redis.call("TTL", "{live}:player:ann") + 1 < 60


# Presence


async def test_a_player_is_shown_as_he_shows_himself(live: Live, redis: RedisStore) -> None:
    assert (await live.presence(["ann"]))["ann"] == Presence("", "offline", None, in_duel=False)
    await live.join(seat(live, "s1"))
    now = await _now(redis)
    shown = (await live.presence(["ann"]))["ann"]
    assert (shown.name, shown.status, shown.in_duel) == ("Ann", "online", False)
    assert shown.last_seen is not None
    assert abs(shown.last_seen - now) < 5_000
    for status in ("away", "busy", "online"):
        await live.set_status("ann", status)
        assert (await live.presence(["ann"]))["ann"].status == status
    await redis.call("SET", duel_of("ann"), "d1")
    assert (await live.presence(["ann"]))["ann"].in_duel


async def test_who_comes_back_is_online_whatever_he_was_before(live: Live) -> None:
    await live.join(seat(live, "s1"))
    await live.set_status("ann", "busy")
    await live.join(seat(live, "s2"))
    assert (await live.presence(["ann"]))["ann"].status == "busy"
    await live.leave("n1.s1")
    await live.leave("n1.s2")
    assert (await live.presence(["ann"]))["ann"].status == "offline"
    await live.join(seat(live, "s3"))
    assert (await live.presence(["ann"]))["ann"].status == "online"


async def test_who_is_not_here_cannot_show_himself(live: Live, redis: RedisStore) -> None:
    await live.set_status("ann", "busy")
    assert await keys(redis) == set()


async def test_a_hundred_players_are_asked_for_in_one_round_trip(
    live: Live, redis: RedisStore
) -> None:
    for n in range(10):
        await live.join(seat(live, f"s{n}", f"p{n}"))
    players = [f"p{n}" for n in range(100)]
    await live.presence(players)  # the connection is made
    before = await _statistics(redis)
    found = await live.presence(players)
    after = await _statistics(redis)
    assert [player for player, one in found.items() if one.status == "online"] == players[:10]
    assert list(found) == players
    assert await live.presence([]) == {}
    # Two commands in one write, and INFO's own.
    assert after["total_reads_processed"] - before["total_reads_processed"] <= 3


async def _statistics(redis: RedisStore) -> dict[str, int]:
    lines = str(await redis.call("INFO", "stats")).splitlines()
    found = dict(line.split(":", 1) for line in lines if line.startswith("total_"))
    return {name: int(value) for name, value in found.items() if value.isdigit()}


async def test_attendance_tells_the_latest_beat_of_the_nodes_that_a_player_is_on(
    live: Live, other: Live, redis: RedisStore
) -> None:
    nobody = await live.attendance("ann")
    assert (nobody.sockets, nobody.seq, nobody.alive_at, nobody.seen) == (0, 0, 0, 0)
    await live.join(seat(live, "s1"))
    await other.join(seat(other, "s2"))
    first, _ = await live.beat()
    second, _ = await other.beat()
    there = await live.attendance("ann")
    assert (there.sockets, there.seq) == (2, 1)
    assert there.alive_at == max(first, second)
    assert abs(there.seen - first) < 5_000
    await age(redis, "n2", 60)
    assert (await live.attendance("ann")).alive_at == first
    await live.leave("n1.s1")
    await other.leave("n2.s2")
    there = await live.attendance("ann")
    assert (there.sockets, there.seq, there.alive_at) == (0, 2, 0)


# Nodes


async def test_a_beat_tells_redis_time_and_its_seats(live: Live, redis: RedisStore) -> None:
    now, seats = await live.beat()
    assert abs(now - await _now(redis)) < 5_000
    assert seats == 0
    await live.join(seat(live, "s1"))
    assert (await live.beat())[1] == 1
    assert await live.seats() == {"n1.s1": "pid of s1"}


async def test_a_node_with_a_seat_is_known_even_if_it_was_buried_before(
    live: Live, other: Live
) -> None:
    """It stood still, others buried it, and it dies before its next beat."""
    beat, _ = await live.beat()
    await other.bury("n1", beat)
    await live.join(seat(live, "s1"))
    await other.declare_gone()
    assert [node for node, _ in await other.dead(by_lease=False)] == ["n1"]


async def test_a_node_that_is_late_is_dead_only_for_who_may_judge_by_leases(
    live: Live, other: Live, redis: RedisStore
) -> None:
    await live.beat()
    await other.beat()
    assert await other.dead(by_lease=True) == []
    beat = await age(redis, "n1", LEASE + 1)
    assert await other.dead(by_lease=False) == []
    assert await other.dead(by_lease=True) == [("n1", beat)]


async def test_a_node_that_is_declared_gone_is_dead_at_once_and_told_of_once(
    live: Live, other: Live, redis: RedisStore
) -> None:
    beat, _ = await live.beat()
    await other.declare_gone(["n1"])
    assert await other.dead(by_lease=False) == [("n1", beat)]
    late = await age(redis, "n1", LEASE + 1)
    assert await other.dead(by_lease=True) == [("n1", late)]


async def test_all_that_ever_beat_can_be_declared_gone(live: Live, other: Live) -> None:
    await Live(other._redis, LIMITS, "", LEASE).declare_gone()
    await live.beat()
    await other.beat()
    await Live(other._redis, LIMITS, "", LEASE).declare_gone()
    assert {node for node, _ in await other.dead(by_lease=False)} == {"n1", "n2"}


async def test_who_is_gone_and_was_never_known_is_forgotten(other: Live, redis: RedisStore) -> None:
    await other.declare_gone(["stranger"])
    assert await other.dead(by_lease=False) == []
    assert await redis.call("EXISTS", GONE) == 0


async def test_a_node_is_buried_once_its_seats_are_given_back(
    live: Live, other: Live, redis: RedisStore
) -> None:
    beat, _ = await live.beat()
    await live.join(seat(live, "s1"))
    await other.declare_gone(["n1"])
    assert not await other.bury("n1", beat)
    await other.leave("n1.s1")
    assert await other.bury("n1", beat)
    assert await keys(redis) == {"{live}:player:ann"}


async def test_a_node_that_came_back_is_not_buried(live: Live, other: Live) -> None:
    beat, _ = await live.beat()
    while (await live.beat())[0] == beat:
        pass
    assert not await other.bury("n1", beat)
    assert await other.seats("n1") == {}


async def test_who_did_not_say_that_he_told_is_followed_by_another(
    live: Live, other: Live, redis: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("state.live.TELL_MS", 200)
    await live.join(seat(live, "s1"))
    seats = await live.seats()
    left = await live.vacate("n1.s1", at=1_234)
    assert left is not None
    assert await counts(redis) == {}
    # He has his time. The seat is still found, by the node itself or by those who bury it.
    assert await other.vacate("n1.s1") is None
    assert await live.seats() == seats
    assert not await other.bury("n1", (await live.beat())[0])
    await asyncio.sleep(0.25)
    asked = await asyncio.gather(*(node.vacate("n1.s1") for node in [live, other] * 10))
    assert [one for one in asked if one] == [left]  # one of them, and nothing counts twice
    assert (await live.attendance("ann")).sockets == 0
    await other.told("n1.s1")
    assert await live.seats() == {}
    assert await live.vacate("n1.s1") is None


async def test_two_sweepers_clean_up_after_a_dead_node_exactly_once(
    live: Live, other: Live, stores: Stores, redis: RedisStore
) -> None:
    for n in range(12):
        await live.join(seat(live, f"s{n}", f"p{n % 6}", account=f"a{n}"))
    await live.beat()
    died = await age(redis, "n1", LEASE + 1)

    async def sweep(sweeper: Live) -> list[Left]:
        ((node, beat),) = await sweeper.dead(by_lease=True)
        seats = await sweeper.seats(node)
        gone = await asyncio.gather(*(sweeper.leave(one, at=beat) for one in seats))
        await sweeper.bury(node, beat)
        return [left for left in gone if left]

    async with RedisStore(stores.redis_url, Redis()) as store:
        third = Live(store, LIMITS, "n3", LEASE)
        first, second = await asyncio.gather(sweep(other), sweep(third))
    assert sorted(left.connection for left in first + second) == sorted(
        f"n1.s{n}" for n in range(12)
    )
    assert {left.at for left in first + second} == {died}
    assert sum(left.sockets == 0 for left in first + second) == 6
    assert await keys(redis) == {f"{{live}}:player:p{n}" for n in range(6)}
    shown = await other.presence([f"p{n}" for n in range(6)])
    assert {one.status for one in shown.values()} == {"offline"}
    assert {one.last_seen for one in shown.values()} == {died}


# The clock


async def test_the_clock_tells_redis_time_between_beats(live: Live) -> None:
    clock = Clock()
    now, _ = await live.beat()
    clock.set(now + 3_600_000)
    assert abs(clock() - (now + 3_600_000)) < 1_000
    clock.set(now)
    before = clock()
    end = time.monotonic() + 0.01
    while time.monotonic() < end:
        pass
    assert 9 <= clock() - before < 1_000


async def _now(redis: RedisStore) -> int:
    seconds, micros = await redis.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000
