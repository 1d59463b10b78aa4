"""When duels are due: served once, lent for a moment, given back; on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import chain

import pytest

from config.sections import Redis
from state import duels as state
from state.connect import RedisStore
from state.duels import DEADLINES, Duels
from tests.contract.duels_kit import SETTINGS, Game
from tests.fixtures import Stores


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


async def test_what_is_due_is_served_once_by_one_of_two_nodes(
    game: Game, duels: Duels, elsewhere: Duels
) -> None:
    for n in range(20):
        await game.offer(f"d{n}", by=(f"p{n}", "P"))
        await game.put_off(f"d{n}", -1)
    served = await asyncio.gather(
        *((duels, elsewhere)[n % 2].due() for n in range(10)),
    )
    assert sorted(chain.from_iterable(served)) == sorted(f"d{n}" for n in range(20))


async def test_what_is_not_due_is_not_served(game: Game, duels: Duels) -> None:
    await game.offer()
    assert await duels.due() == []


async def test_a_node_takes_so_many_at_once(
    game: Game, duels: Duels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "BATCH", 3)
    for n in range(5):
        await game.put_off(f"d{n}", -1)
    assert [len(await duels.due()) for _ in range(3)] == [3, 2, 0]


async def test_what_a_dead_node_was_lent_comes_back(
    game: Game, duels: Duels, elsewhere: Duels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LEASE_MS", 1)
    await game.put_off("d1", -1)
    assert await duels.due() == ["d1"]
    async with asyncio.timeout(5):
        while not (found := await elsewhere.due()):
            pass
    assert found == ["d1"]


async def test_a_lent_duel_is_given_back_with_its_next_deadline(
    game: Game, duels: Duels, redis: RedisStore
) -> None:
    duel = await game.fight()
    await game.put_off("d1", -1)
    assert await duels.due() == ["d1"]
    await duels.schedule("d1", duel.version, 12_345)
    assert await redis.call("ZSCORE", DEADLINES, "d1") == 12_345


async def test_a_duel_that_was_saved_meanwhile_keeps_its_own_deadline(
    game: Game, duels: Duels, redis: RedisStore
) -> None:
    duel = await game.fight()
    await duels.schedule("d1", duel.version - 1, 12_345)
    assert int(await redis.call("ZSCORE", DEADLINES, "d1")) == duel.deadline
    await game.forfeit()
    await duels.schedule("d1", duel.version, 12_345)
    assert await redis.call("ZSCORE", DEADLINES, "d1") is None


async def test_a_deadline_without_its_duel_is_forgotten(
    game: Game, duels: Duels, redis: RedisStore
) -> None:
    await game.put_off("ghost", -1)
    await duels.schedule("ghost", 0, None)
    assert await redis.call("EXISTS", DEADLINES) == 0


async def test_nothing_due_any_more_is_no_deadline(
    game: Game, duels: Duels, redis: RedisStore
) -> None:
    duel = await game.fight()
    await duels.schedule("d1", duel.version, None)
    assert await redis.call("ZSCORE", DEADLINES, "d1") is None
