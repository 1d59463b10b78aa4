"""Matchmaking on real stores: one player, one duel, whoever pairs and whatever dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from config.sections import Redis
from config.settings import Settings
from game.errors import AlreadyInDuel, Conflict, InsufficientFunds
from handlers import matchmaking
from handlers.base import World
from handlers.matchmaking import find_opponents
from state import matches as state
from state.connect import RedisStore
from state.documents import DocumentStore
from state.live import Left
from state.matches import Waiting
from state.migrations import migrate
from tests.contract.economy_kit import check_books, send
from tests.contract.ladder_kit import build, seat, told
from tests.contract.players_kit import Player
from tests.fixtures import Stores

CROWD = 200
# Both drivers do the same here, and are held to more in tests/contract/test_ledger.py.
pytestmark = pytest.mark.parametrize("documents", ["motor"], indirect=True)
WIDE = Settings.model_validate({"match": {"band": 10_000, "grace_seconds": 0.05}})


@pytest.fixture
async def world(redis: RedisStore, documents: DocumentStore) -> World:
    world = await build(redis, documents, WIDE)
    await migrate(documents, world.now)
    return world


@pytest.fixture
async def elsewhere(stores: Stores, documents: DocumentStore, world: World) -> AsyncIterator[World]:
    """Another node."""
    del world  # its Redis was emptied first
    async with RedisStore(stores.redis_url, Redis()) as redis:
        yield await build(redis, documents, WIDE)


async def vanish(world: World, player: Player) -> None:
    """A player's only socket goes, and its node does what follows."""
    left = await world.live.leave(f"n1.{player.caller.name}")
    assert isinstance(left, Left)
    await matchmaking.went(world, left)


async def waiting_of(world: World, player: Player) -> Waiting | None:
    matches = world.ladder.matches
    (ticket,) = await matches._redis.ask([matches.ask_ticket(player.id)])
    return await matches.waiting(ticket)


async def waits(world: World, *players: Player) -> list[bool]:
    return [await waiting_of(world, player) is not None for player in players]


async def active(world: World, player: Player) -> str | None:
    return await world.duels.active(player.id)


async def pair_up(world: World, stake: int = 0) -> tuple[Player, Player]:
    """Two who wait for each other."""
    ann, bob = await seat(world, "ann"), await seat(world, "bob")
    for player in (ann, bob):
        await player("match:join", stake=stake)
    return ann, bob


async def test_of_200_who_join_on_two_nodes_each_is_in_one_duel_or_still_waits(
    world: World, elsewhere: World, redis: RedisStore
) -> None:
    nodes = world, elsewhere
    crowd = [await seat(nodes[n % 2], f"p{n}") for n in range(CROWD)]

    async def come(player: Player, number: int) -> None:
        await player("match:join")
        if number % 10 == 0:  # some change their minds, if they still can
            await asyncio.gather(player("match:leave"), return_exceptions=True)

    async def pair(node: World) -> None:
        for _ in range(15):
            await find_opponents(node)

    joining = [come(player, number) for number, player in enumerate(crowd)]
    await asyncio.gather(*joining, *(pair(node) for node in nodes for _ in range(2)))
    await find_opponents(world)  # who joined last
    duels = [await active(world, player) for player in crowd]
    waiting = await waits(world, *crowd)
    assert set(Counter(one for one in duels if one).values()) == {2}
    assert not any(duel and still for duel, still in zip(duels, waiting, strict=True))
    found = told(world).sent("match:found") + told(elsewhere).sent("match:found")
    assert len(found) == len([one for one in duels if one])
    assert sum(waiting) <= 1
    assert len(found) > CROWD * 3 / 4
    assert await redis.call("EXISTS", state.PAIRS) == 0


async def test_two_who_may_meet_fight_at_once_and_are_told_with_their_own_views(
    world: World,
) -> None:
    ann, bob = await pair_up(world)
    assert (await ann("match:join"))["stake"] == 0  # again is the same wait
    await find_opponents(world)
    sent = {room: data["duel"] for data, room in told(world).sent("match:found")}
    assert len(sent) == 2
    for duel in sent.values():
        assert (duel["status"], duel["round"]) == ("active", 1)
        assert len(duel["you"]["hand"]) == 5
    assert await active(world, ann) == await active(world, bob) == duel["id"]
    assert await waits(world, ann, bob) == [False, False]
    with pytest.raises(AlreadyInDuel):
        await ann("match:join")


async def test_a_pair_whose_node_dies_before_its_duel_begins_is_begun_by_another(
    world: World, elsewhere: World, monkeypatch: pytest.MonkeyPatch, documents: DocumentStore
) -> None:
    ann, bob = await pair_up(world, stake=400)
    monkeypatch.setattr(state, "LEASE_MS", 1)
    (pair,) = await world.ladder.matches.claim(world.friends.blocked_pairs)  # and no more is heard
    with pytest.raises(Conflict):
        await ann("match:leave")
    await asyncio.sleep(0.005)
    await asyncio.gather(*(find_opponents(node) for node in (world, elsewhere) for _ in range(3)))
    assert await active(world, ann) == await active(world, bob) == pair.id
    assert await waits(world, ann, bob) == [False, False]
    assert await world.economy.ledger.balance(ann.id) == 600
    await check_books(documents)


async def test_a_pair_whose_node_dies_after_its_duel_began_is_told_and_forgotten(
    world: World, elsewhere: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, _ = await pair_up(world)
    monkeypatch.setattr(state, "LEASE_MS", 1)
    finish = world.ladder.matches.finish

    async def dies(*_: object, **__: object) -> None:
        raise Conflict

    world.ladder.matches.finish = dies  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        await find_opponents(world)
    world.ladder.matches.finish = finish  # type: ignore[method-assign]
    duel = await active(world, ann)
    await asyncio.sleep(0.005)
    await find_opponents(elsewhere)
    assert await active(world, ann) == duel
    assert {data["duel"]["id"] for data, _ in told(elsewhere).sent("match:found")} == {duel}
    assert await waits(world, ann) == [False]


async def test_who_lacks_the_coins_is_refused_or_dropped_and_the_other_keeps_his_place(
    world: World, documents: DocumentStore
) -> None:
    ann, bob = await pair_up(world, stake=900)
    since = await waiting_of(world, bob)
    with pytest.raises(InsufficientFunds):
        await (await seat(world, "eve"))("match:join", stake=1_001)
    await send(world.economy.ledger, ann.id, bob.id, 200, "k")
    await find_opponents(world)
    assert told(world).sent("match:left") == [({"reason": "insufficient_funds"}, "player:p-ann")]
    assert await waits(world, ann, bob) == [False, True]
    assert await waiting_of(world, bob) == since
    assert await world.economy.ledger.balance(bob.id) == 1_200
    zoe = await seat(world, "zoe")
    await zoe("match:join", stake=900)
    await find_opponents(world)
    assert await active(world, zoe) == await active(world, bob) is not None
    await check_books(documents)


async def test_who_fights_another_duel_is_dropped_and_the_other_waits_on(world: World) -> None:
    ann, bob = await pair_up(world, stake=10)
    await world.duels._redis.call("SET", f"{{duels}}:player:{ann.id}", "another")
    await find_opponents(world)
    assert told(world).sent("match:left") == [({"reason": "in_duel"}, "player:p-ann")]
    assert await waits(world, ann, bob) == [False, True]
    (ended,) = await world.duels.ended()  # what was held goes back
    assert ended.status == "cancelled"
    await world.economy.stakes.settle(ended)
    assert await world.economy.ledger.balance(bob.id) == 1_000


async def test_blocked_players_and_characters_of_one_account_wait_on(world: World) -> None:
    ann, bob = await pair_up(world)
    block = {"_id": f"{ann.id}/{bob.id}", "owner": ann.id, "other": bob.id, "state": "blocked"}
    await world.friends._documents.call("ties", "insert_one", {**block, "since": 1})
    twin = await seat(world, "twin", account_id="a-ann")
    await twin("match:join", stake=5)
    await find_opponents(world)
    assert await waits(world, ann, bob) == [True, True]
    eve = await seat(world, "eve")
    await eve("match:join")
    await find_opponents(world)
    assert await active(world, ann) == await active(world, eve) is not None
    assert await waits(world, bob, twin) == [True, True]


async def test_who_is_gone_is_not_paired_and_back_in_time_has_his_place(world: World) -> None:
    ann, bob = await pair_up(world)
    before = await waiting_of(world, ann)
    await vanish(world, ann)
    await find_opponents(world)
    assert await active(world, bob) is None
    await seat(world, "ann")
    await matchmaking._note_presence(world, ann.id)
    after = await waiting_of(world, ann)
    assert before
    assert after
    assert (after.state, after.since) == ("waiting", before.since)
    await vanish(world, ann)
    await asyncio.sleep(0.1)
    await find_opponents(world)
    assert await waits(world, ann, bob) == [False, True]


async def test_word_of_a_departure_that_comes_late_changes_nothing(world: World) -> None:
    ann, _ = await pair_up(world)
    left = await world.live.leave("n1.ann")
    assert left
    await seat(world, "ann")
    await matchmaking._note_presence(world, ann.id)
    await matchmaking.went(world, left)
    waiting = await waiting_of(world, ann)
    assert waiting
    assert waiting.state == "waiting"


async def test_who_went_while_he_joined_does_not_wait_for_ever(world: World) -> None:
    ann = await seat(world, "ann")
    left = await world.live.leave("n1.ann")
    assert left
    await matchmaking.went(world, left)  # before his join gets through
    await ann("match:join")
    waiting = await waiting_of(world, ann)
    assert waiting
    assert waiting.state == "away"


async def test_one_who_goes_between_claim_and_start_is_away_and_the_other_waits_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await pair_up(world)
    monkeypatch.setattr(state, "LEASE_MS", 1)
    await world.ladder.matches.claim(world.friends.blocked_pairs)
    await vanish(world, ann)
    await asyncio.sleep(0.005)
    for pair in await world.ladder.matches.due():
        await matchmaking._begin(world, pair)
    states = [await waiting_of(world, player) for player in (ann, bob)]
    assert [one and one.state for one in states] == ["away", "waiting"]
    assert await active(world, bob) is None


async def test_a_wait_with_another_stake_is_a_conflict_and_leaving_ends_it(world: World) -> None:
    ann = await seat(world, "ann")
    await ann("match:join", stake=5)
    with pytest.raises(Conflict):
        await ann("match:join", stake=6)
    assert await ann("match:leave") == await ann("match:leave") == {}
    assert told(world).sent("match:left") == [({"reason": "left"}, "player:p-ann")]
    assert (await ann("match:join", stake=6))["stake"] == 6


async def test_waits_become_an_estimate(world: World) -> None:
    for n in range(2):
        for name in (f"a{n}", f"b{n}"):
            await (await seat(world, name))("match:join")
        await find_opponents(world)
    view = await (await seat(world, "eve"))("match:join")
    assert 0 <= view["estimated_wait"] < 60_000
    other = await (await seat(world, "zoe"))("match:join", stake=1)
    assert other["estimated_wait"] is None


async def test_nobody_is_forgotten_in_a_queue_that_is_longer_than_one_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LOOK", 3)
    for n in range(8):  # who waits for what nobody else does
        await (await seat(world, f"odd{n}"))("match:join", stake=n + 1)
    ann, bob = await pair_up(world)
    async with asyncio.timeout(20):
        while not await active(world, ann):
            await find_opponents(world)
    assert await active(world, bob) is not None
