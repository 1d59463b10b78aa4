"""Matchmaking, ratings and leaderboards through the front door of two servers.

All wait in one queue for all tests of the session: each has a stake of its own, which nobody
else waits for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from config.sections import Redis
from state.connect import RedisStore
from tests.fixtures import Stores, on
from tests.harness import Player, Server, Table, serving
from tests.integration.hosting import Host
from tests.sizes import sized

CROWD = sized("MATCH_CROWD", 30, 200)
START = 1_000


async def found(player: Player, stake: int) -> dict[str, Any]:
    """The duel that was found for a player."""
    news = await player.next("match:found", lambda one: one["duel"]["stake"] == stake, 30)
    duel: dict[str, Any] = news["duel"]
    return duel


async def match(ann: Player, bob: Player, stake: int) -> dict[str, Any]:
    """A duel of two who wait for nobody else; ann's view."""
    await asyncio.gather(*(player.do("match:join", stake=stake) for player in (ann, bob)))
    duel, theirs = await asyncio.gather(found(ann, stake), found(bob, stake))
    assert duel["id"] == theirs["id"]
    return duel


async def on_board(player: Player, board: str) -> dict[str, Any]:
    """A player's entry, once he is on the board."""
    async with asyncio.timeout(20):
        while True:
            reply = await player.do("leaderboard:around", board=board, limit=1)
            if reply["entries"]:
                entry: dict[str, Any] = reply["entries"][0]
                return entry
            await asyncio.sleep(0.1)


async def test_from_the_queue_to_the_changed_rating_and_the_boards(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann, bob = await table.seat(one.url, "ann"), await table.seat(other.url, "bob")
    duel = await match(ann, bob, 101)
    assert duel["status"] == "active"
    assert len(duel["you"]["hand"]) == 5
    assert {player["id"] for player in duel["players"]} == {ann.id, bob.id}
    assert await ann.fails("match:join", stake=101) == "already_in_duel"
    await bob.do("duel:forfeit", duel_id=duel["id"])
    won, lost = await ann.next("rating:changed"), await bob.next("rating:changed")
    assert (won["duel_id"], won["rating"], won["change"]) == (duel["id"], 1_658, 158)
    assert (lost["rating"], lost["change"]) == (1_342, -158)
    rating = await bob.do("rating:get", player_id=ann.id)
    assert (rating["rating"], rating["wins"], rating["losses"]) == (1_658, 1, 0)
    assert (await on_board(ann, "rating"))["score"] == won["score"] == 206
    assert (await on_board(ann, "wins"))["score"] == 1
    await ann.next("wallet:changed", lambda news: news["reason"] == "stake_paid")
    async with asyncio.timeout(20):
        while (await on_board(ann, "wealth"))["score"] != START + 101:  # noqa: ASYNC110 - untold
            await asyncio.sleep(0.1)
    token = ann.tokens["access_token"]
    path = f"/leaderboards/wealth?limit=1&season={won['season']}"
    assert (await table.call("GET", one.url, path, token=token))[0] == 404
    status, shown = await table.call("GET", one.url, "/leaderboards/wins?limit=2", token=token)
    assert (status, shown["season"]) == (200, won["season"])
    assert shown["entries"][0]["rank"] == 1


async def test_of_many_on_two_servers_each_is_in_one_duel_or_still_waits(
    pair: tuple[Server, Server], table: Table
) -> None:
    crowd = await asyncio.gather(
        *(table.seat(pair[n % 2].url, f"p{n}") for n in range(CROWD)),
    )
    await asyncio.gather(*(player.do("match:join", stake=102) for player in crowd))
    duels = await asyncio.gather(*(found(player, 102) for player in crowd))
    assert set(Counter(duel["id"] for duel in duels).values()) == {2}
    active = [(await player.do("duel:active"))["duel"]["id"] for player in crowd]
    assert active == [duel["id"] for duel in duels]


async def test_leaving_and_beginning_another_duel_end_the_wait(
    pair: tuple[Server, Server], table: Table
) -> None:
    one, other = pair
    ann, bob = await table.seat(one.url, "ann"), await table.seat(other.url, "bob")
    phone = await table.player(other.url, ann.tokens).connect()
    first = await ann.do("match:join", stake=103)
    assert (await phone.do("match:join", stake=103)) == first
    assert await ann.fails("match:join", stake=104) == "conflict"
    await phone.do("match:leave")
    assert (await ann.next("match:left"))["reason"] == "left"
    await ann.do("match:join", stake=104)
    await bob.do("match:join", stake=105)
    await table.duel(ann, bob)
    for player in (ann, bob):
        assert (await player.next("match:left"))["reason"] == "in_duel"


async def test_blocked_players_and_those_who_are_gone_are_not_paired(
    host: Host, table: Table
) -> None:
    url = host.start(MATCH__GRACE_SECONDS=1.5, MATCH__EVERY_SECONDS=0.1).url
    ann, bob, eve = [await table.seat(url, name) for name in ("ann", "bob", "eve")]
    await ann.do("friends:block", player_id=bob.id)
    waiting = await ann.do("match:join", stake=106)
    await bob.do("match:join", stake=106)
    await asyncio.sleep(0.5)
    assert ann.seen("match:found") == bob.seen("match:found") == []
    await ann.leave()
    again = await table.player(url, ann.tokens).connect()
    assert again.ready["resume"]["match"] == waiting
    await bob.leave()
    await asyncio.sleep(0.3)
    await eve.do("match:join", stake=106)
    assert {one["id"] for one in (await found(eve, 106))["players"]} == {eve.id, again.id}
    async with asyncio.timeout(20):
        while True:
            back = await table.player(url, bob.tokens).connect()
            if back.ready["resume"]["match"] is None:
                return
            await back.leave()
            await asyncio.sleep(2)


@pytest.mark.chaos
async def test_of_pairs_whose_node_is_killed_all_fight_or_wait_and_no_coin_is_lost(
    emptied: Stores, table: Table
) -> None:
    slow = on(
        emptied,
        MATCH__EVERY_SECONDS=1,
        MATCH__GRACE_SECONDS=0.5,
        NODES__LEASE_SECONDS=4.5,
        NODES__HEARTBEAT_SECONDS=0.5,
    )
    async with serving(**slow) as witness, serving(**{**slow, "MATCH__EVERY_SECONDS": 0.01}) as it:
        crowd = await asyncio.gather(*(table.seat(witness.url, f"p{n}") for n in range(20)))
        lonely = await table.seat(it.url, "lonely")
        await lonely.do("match:join", stake=99)
        joining = [player.do("match:join", stake=100 + n // 2) for n, player in enumerate(crowd)]
        waiting = asyncio.gather(*joining)
        await asyncio.sleep(0.05)
        await it.kill()
        await waiting
        async with asyncio.timeout(60):
            duels = [""] * len(crowd)
            while not all(duels):
                await asyncio.sleep(0.2)
                views = [(await player.do("duel:active"))["duel"] for player in crowd]
                duels = [view["id"] if view else "" for view in views]
        assert set(Counter(duels).values()) == {2}
        for player, duel in zip(crowd, duels, strict=True):
            assert {one["duel"]["id"] for one in player.seen("match:found")} <= {duel}
        for n, player in enumerate(crowd):
            assert (await player.do("wallet:get"))["balance"] == START - 100 - n // 2
        await until_gone(emptied, f"{{match}}:ticket:{lonely.id}")


async def until_gone(stores: Stores, key: str) -> None:
    """Wait until a key does not exist."""
    async with RedisStore(stores.redis_url, Redis()) as redis, asyncio.timeout(30):
        while await redis.call("EXISTS", key):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
