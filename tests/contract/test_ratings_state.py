"""Ratings in MongoDB: each duel moves them once, whoever rates it, however often."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from config.ladder import Leaderboards
from game.ratings import Rating, Record
from handlers import leaderboards, reactions
from handlers.base import World
from state.connect import RedisStore
from state.documents import DocumentStore
from state.migrations import migrate
from state.ratings import Ratings
from tests.contract.accounts_kit import Clock
from tests.contract.ladder_kit import build, finished, told

DAY = 86_400


@pytest.fixture
async def clock(documents: DocumentStore) -> Clock:
    clock = Clock()
    await migrate(documents, clock)
    return clock


@pytest.fixture
def ratings(documents: DocumentStore, clock: Clock) -> Ratings:
    return Ratings(documents, Leaderboards(), clock)


async def test_a_duel_that_many_rate_at_once_is_rated_once(ratings: Ratings, clock: Clock) -> None:
    duel = finished("d1", "ann", clock())
    done = await asyncio.gather(*(ratings.apply(duel) for _ in range(20)))
    assert len({one.changes for one in done}) == 1
    mine, theirs = await ratings.of("ann"), await ratings.of("bob")
    assert (mine.wins, theirs.losses) == (1, 1)
    assert (mine.rating.shown, theirs.rating.shown) == (1_658, 1_342)
    assert [(one.rating, one.change) for one in done[0].changes] == [(1_658, 158), (1_342, -158)]


async def test_duels_of_one_player_that_end_at_once_all_count(
    ratings: Ratings, clock: Clock
) -> None:
    duels = [finished(f"d{n}", "ann", clock(), f"bob{n}") for n in range(10)]
    await asyncio.gather(*(ratings.apply(duel) for duel in duels * 2))
    assert (await ratings.of("ann")).wins == 10
    assert [(await ratings.of(f"bob{n}")).losses for n in range(10)] == [1] * 10


async def test_a_duel_counts_for_the_season_that_it_ended_in(
    ratings: Ratings, clock: Clock
) -> None:
    await ratings.apply(finished("d1", "ann", clock()))
    was = await ratings.of("ann")
    clock.forward(100 * DAY)
    now = await ratings.of("ann")
    assert (now.wins, now.rating.mean) == (0, was.rating.mean)
    assert now.rating.deviation > was.rating.deviation - 1
    late = replace(finished("d2", "ann", clock()), ended_at=clock() - 100 * DAY * 1000)
    assert (await ratings.apply(late)).season != ratings.season.id
    assert (await ratings.of("ann")).wins == 0
    await ratings.apply(finished("d3", "ann", clock()))
    assert (await ratings.of("ann")).wins == 1
    clock.forward(10 * 365 * DAY)
    assert await ratings.of("ann") == Record(Rating())


async def test_who_deletes_his_account_is_on_no_board_and_has_had_his_seasons(
    redis: RedisStore, documents: DocumentStore, clock: Clock
) -> None:
    world: World = await build(redis, documents)
    await reactions.rate_fighters(world, finished("d1", "ann", world.now()))
    await leaderboards.bring_up_to_date(world)
    ladder = world.ladder
    assert [one["wins"] for one in (await leaderboards.seasons(world, "ann"))["ratings"]] == [1]
    assert (await ladder.boards.top("wins", ladder.ratings.season, 9, None)).total == 1
    await leaderboards.strike(world, "ann")
    await leaderboards.bring_up_to_date(world)
    assert await leaderboards.seasons(world, "ann") == {"ratings": []}
    assert (await ladder.boards.top("wins", ladder.ratings.season, 9, None)).total == 0


async def test_a_reaction_that_runs_twice_moves_nothing_and_tells_the_same(
    redis: RedisStore, documents: DocumentStore, clock: Clock
) -> None:
    world: World = await build(redis, documents)
    duel = finished("d1", "ann", world.now())
    for _ in range(2):
        await reactions.rate_fighters(world, duel)
    first, second = told(world).sent("rating:changed")[:2], told(world).sent("rating:changed")[2:]
    assert first == second
    assert first[0][0]["change"] == 158
    abandoned = replace(finished("d2", None, 1), winner_id=None, end_reason="abandoned")
    await reactions.rate_fighters(world, abandoned)
    assert len(told(world).sent("rating:changed")) == 4
    assert (await world.ladder.ratings.of("ann")).wins == 1
