"""Duels as they are kept: every step whole, once, and by one of many, on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from config.sections import Redis
from config.settings import Settings
from game import duels as rules
from game.duels import Duel
from game.errors import AlreadyInDuel, Conflict, IdempotencyMismatch, NotFound, StaleVersion
from state import duels as state
from state.connect import RedisStore
from state.duels import DEADLINES, Duels, Step
from tests.contract.duels_kit import ANN, BOB, EVE, SEED, SETTINGS, Game, now, outcomes
from tests.fixtures import Stores

KEEP = SETTINGS.duels.keep_seconds


@pytest.fixture
def duels(redis: RedisStore) -> Duels:
    return Duels(redis, SETTINGS)


@pytest.fixture
async def elsewhere(stores: Stores, duels: Duels) -> AsyncIterator[Duels]:
    """The same duels on another node."""
    del duels  # its Redis was emptied first
    async with RedisStore(stores.redis_url, Redis()) as store:
        yield Duels(store, SETTINGS)


@pytest.fixture
def game(redis: RedisStore, duels: Duels) -> Game:
    return Game(redis, duels)


# The challenge


async def test_an_offer_is_found_by_its_id_and_by_both(game: Game, duels: Duels) -> None:
    offered = await game.offer()
    assert await duels.get("d1") == offered
    assert await duels.open("ann") == offered
    assert await duels.open("bob") == offered
    assert await duels.open("eve") is None
    assert await duels.active("ann") is None
    assert await duels.fighters("d1") == ("ann", "bob")
    assert await duels.counts() == {"challenged": 1, "active": 0}


async def test_there_is_no_duel_of_a_made_up_id(duels: Duels) -> None:
    for ask in (duels.get("nothing"), duels.fighters("nothing")):
        with pytest.raises(NotFound):
            await ask


async def test_the_same_key_again_gets_the_first_answer_and_offers_nothing(
    game: Game, duels: Duels, elsewhere: Duels
) -> None:
    first = await game.offer("d1", key="k")
    again = replace(first, id="d2")
    for node in (duels, elsewhere):
        assert await node.create(again, "k", ["bob"], {"offer": "d2"}) == {"offer": "d1"}
    with pytest.raises(NotFound):
        await duels.get("d2")
    await game.accept()
    await game.forfeit()
    assert await duels.create(again, "k", ["bob"], {"offer": "d2"}) == {"offer": "d1"}


async def test_the_same_key_with_another_body_is_a_mismatch(game: Game, duels: Duels) -> None:
    first = await game.offer("d1", key="k")
    with pytest.raises(IdempotencyMismatch):
        await duels.create(replace(first, id="d2"), "k", ["eve"], {})


async def test_two_players_may_use_the_same_key(game: Game) -> None:
    await game.offer("d1", key="k")
    await game.offer("d2", by=EVE, key="k")


async def test_fifty_parallel_offers_with_one_key_make_one(
    game: Game, duels: Duels, elsewhere: Duels, redis: RedisStore
) -> None:
    at = await now(redis)

    async def offer(n: int) -> Any:
        duel = rules.challenge(f"d{n}", ANN, BOB, SEED, at, duels.rules)
        return await (duels, elsewhere)[n % 2].create(duel, "k", ["bob"], {"offer": f"d{n}"})

    answers = await asyncio.gather(*(offer(n) for n in range(50)))
    assert len({answer["offer"] for answer in answers}) == 1
    assert await duels.counts() == {"challenged": 1, "active": 0}


async def test_fifty_parallel_offers_with_their_own_keys_make_one(game: Game, duels: Duels) -> None:
    told = await outcomes(*(game.offer(f"d{n}", to=(f"p{n}", "P")) for n in range(50)))
    assert told.count(AlreadyInDuel) == 49
    assert await duels.counts() == {"challenged": 1, "active": 0}
    # The refused ones left nothing: no key of theirs, no place in a list.
    assert len([key for key in await game.keys() if ":key:" in key or ":incoming:" in key]) == 2


async def test_who_has_offered_a_duel_cannot_offer_another(game: Game) -> None:
    await game.offer("d1")
    with pytest.raises(AlreadyInDuel, match="You are"):
        await game.offer("d2", to=EVE)


async def test_who_fights_neither_offers_nor_is_challenged(game: Game) -> None:
    await game.fight()
    with pytest.raises(AlreadyInDuel, match="You are"):
        await game.offer("d2", by=BOB, to=EVE)
    with pytest.raises(AlreadyInDuel, match="The opponent"):
        await game.offer("d3", by=EVE, to=ANN)


async def test_a_player_has_so_many_open_challenges_and_no_more(game: Game) -> None:
    for n in range(SETTINGS.duels.incoming):
        await game.offer(f"d{n}", by=(f"p{n}", "P"))
    with pytest.raises(Conflict):
        await game.offer("one more", by=EVE)


async def test_challenges_that_expired_unseen_do_not_count(game: Game, redis: RedisStore) -> None:
    for n in range(SETTINGS.duels.incoming):
        await game.offer(f"d{n}", by=(f"p{n}", "P"))
        await redis.call("ZADD", "{duels}:incoming:bob", 1, f"d{n}")
    await game.offer("one more", by=EVE)


async def test_of_several_challenges_the_newest_is_shown(game: Game, duels: Duels) -> None:
    await game.offer("d1")
    before = await now(game.redis)
    while await now(game.redis) == before:
        pass
    await game.offer("d2", by=EVE)
    found = await duels.open("bob")
    assert found is not None
    assert found.id == "d2"


# Steps


async def test_an_accepted_duel_occupies_both_and_is_due_at_its_rounds_end(
    game: Game, duels: Duels, redis: RedisStore
) -> None:
    duel = await game.fight()
    assert duel.status == "active"
    assert await duels.active("ann") == await duels.active("bob") == "d1"
    assert await duels.open("ann") == await duels.open("bob") == duel
    assert int(await redis.call("ZSCORE", DEADLINES, "d1")) == duel.deadline
    assert await duels.counts() == {"challenged": 0, "active": 1}
    assert {"{duels}:offer:ann", "{duels}:incoming:bob"}.isdisjoint(await game.keys())


async def test_a_state_survives_its_trip_to_redis(game: Game, duels: Duels) -> None:
    fought = await game.fight()

    async def rule(duel: Duel) -> Duel:
        return rules.play(duel, "ann", 1, [0, 4], duel.challenged_at)

    step = await duels.step("d1", rule)
    assert step.before == fought
    assert step.changed
    assert await duels.get("d1") == step.after


async def test_a_step_that_changes_nothing_saves_nothing(game: Game, duels: Duels) -> None:
    await game.fight()

    async def rule(duel: Duel) -> Duel:
        return duel

    step = await duels.step("d1", rule)
    assert not step.changed
    assert (await duels.get("d1")).version == 2


async def test_a_rule_that_refuses_leaves_everything_as_it_was(game: Game, duels: Duels) -> None:
    await game.offer()
    before = await game.keys()

    async def rule(duel: Duel) -> Duel:
        raise Conflict

    with pytest.raises(Conflict):
        await duels.step("d1", rule)
    assert (await game.keys()).keys() == before.keys()
    assert (await duels.get("d1")).version == 1


async def test_of_fifty_parallel_accepts_one_starts_the_duel(
    game: Game, duels: Duels, elsewhere: Duels
) -> None:
    await game.offer()
    accepts = (game.accept("d1", (duels, elsewhere)[n % 2]) for n in range(50))
    told = await outcomes(*accepts)
    assert [isinstance(one, Step) for one in told].count(True) == 1
    assert told.count(Conflict) == 49
    assert (await duels.get("d1")).version == 2


async def test_of_fifty_parallel_accepts_of_duels_that_share_a_player_one_starts(
    game: Game, elsewhere: Duels, redis: RedisStore
) -> None:
    """Bob accepts all who challenged him, and all whom Ann challenged … at once."""
    generous = Settings.model_validate({"duels": {"incoming": 100}})
    game.duels = Duels(redis, generous)
    for n in range(50):
        await game.offer(f"d{n}", by=(f"p{n}", "P"))
    accepts = (game.accept(f"d{n}", (game.duels, elsewhere)[n % 2]) for n in range(50))
    told = await outcomes(*accepts)
    assert [isinstance(one, Step) for one in told].count(True) == 1
    assert told.count(AlreadyInDuel) == 49
    started = await game.duels.active("bob")
    occupied = [n for n in range(50) if await game.duels.active(f"p{n}")]
    assert [f"d{n}" for n in occupied] == [started]
    assert await game.duels.counts() == {"challenged": 49, "active": 1}


async def test_in_a_ring_of_challenges_nobody_is_in_two_duels(
    game: Game, duels: Duels, elsewhere: Duels
) -> None:
    players = [(f"p{n}", "P") for n in range(10)]
    for n, player in enumerate(players):
        await game.offer(f"d{n}", by=player, to=players[(n + 1) % 10])
    await outcomes(*(game.accept(f"d{n}", (duels, elsewhere)[n % 2]) for n in range(10)))
    fights = [await duels.get(f"d{n}") for n in range(10)]
    busy = [f.id for duel in fights if duel.status == "active" for f in duel.fighters]
    assert busy
    assert len(busy) == len(set(busy))
    for who, _ in players:
        assert bool(await duels.active(who)) == (who in busy)


async def test_steps_that_race_are_all_done_one_after_the_other(
    game: Game, duels: Duels, elsewhere: Duels
) -> None:
    await game.fight()

    def absent(who: str, seq: int) -> Any:
        async def rule(duel: Duel) -> Duel:
            return rules.presence(duel, who, seq % 2 == 0, seq, duel.challenged_at)

        return rule

    for seq in (1, 2, 3, 4):
        await asyncio.gather(
            duels.step("d1", absent("ann", seq)), elsewhere.step("d1", absent("bob", seq))
        )
    duel = await duels.get("d1")
    assert [fighter.seq for fighter in duel.fighters] == [4, 4]
    assert duel.version == 2 + 8


async def test_who_loses_every_race_is_told_so(game: Game, duels: Duels, redis: RedisStore) -> None:
    await game.fight()
    tries = 0

    async def rule(duel: Duel) -> Duel:
        nonlocal tries
        tries += 1
        await redis.call("HINCRBY", "{duels}:duel:d1", "version", 1)  # somebody was faster
        return replace(duel, round=7)

    with pytest.raises(StaleVersion):
        await duels.step("d1", rule)
    assert tries == state.ATTEMPTS
    assert (await duels.get("d1")).round == 1


async def test_an_ended_duel_sets_both_free_and_is_kept_for_a_while(
    game: Game, duels: Duels
) -> None:
    await game.fight()
    await game.forfeit()
    assert await duels.active("ann") is None
    assert await duels.active("bob") is None
    assert await duels.open("ann") is None
    assert (await duels.get("d1")).end_reason == "forfeit"
    assert await duels.counts() == {"challenged": 0, "active": 0}
    assert [(one.id, one.winner_id) for one in await duels.ended()] == [("d1", "bob")]
    assert await duels.ended() == []  # lent
    await duels.settled("d1")
    left = await game.keys()
    assert set(left) == {"{duels}:duel:d1", "{duels}:key:ann:d1"}
    assert 0 <= KEEP - left["{duels}:duel:d1"] < 60
    assert 0 <= state.IDEMPOTENCY_SECONDS - left["{duels}:key:ann:d1"] < 60


@pytest.mark.parametrize("answer", [rules.decline, rules.cancel])
async def test_a_challenge_that_was_not_taken_up_sets_its_offerer_free(
    game: Game, duels: Duels, answer: Any
) -> None:
    await game.offer()
    at = await now(game.redis)
    by = "bob" if answer is rules.decline else "ann"

    async def rule(duel: Duel) -> Duel:
        ended: Duel = answer(duel, by, at)
        return ended

    await duels.step("d1", rule)
    assert set(await game.keys()) == {"{duels}:duel:d1", "{duels}:key:ann:d1"}
    await game.offer("d2")


async def test_the_end_of_one_duel_leaves_the_next_one_of_its_players_alone(
    game: Game, duels: Duels
) -> None:
    """A save that comes twice, or late, touches only what is its own."""
    await game.fight("d1")
    await game.forfeit("d1")
    await game.fight("d2")
    ended = await duels.get("d1")
    assert await duels._save(ended, replace(ended, version=ended.version + 1))
    assert await duels.active("ann") == await duels.active("bob") == "d2"
    assert await duels.counts() == {"challenged": 0, "active": 1}


async def test_everything_of_an_open_challenge_lives_no_longer_than_it_should(
    game: Game,
) -> None:
    await game.offer()
    ttl = await game.keys()
    stray = (state.STRAY_MS + game.duels.rules.challenge_ms) // 1000
    assert 0 <= stray - ttl.pop("{duels}:offer:ann") < 60
    assert 0 <= stray - ttl.pop("{duels}:incoming:bob") < 60
    assert ttl.pop("{duels}:key:ann:d1") > 0
    # Ended by their deadline, which some node serves.
    assert ttl == {"{duels}:duel:d1": -1, DEADLINES: -1}
