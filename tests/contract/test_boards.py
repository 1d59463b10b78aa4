"""Leaderboards: fair ranks, the newest truth, rebuilt when they are lost; on real stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.ladder import Leaderboards
from config.sections import Redis
from game.economy import INT64_MAX
from handlers.base import World
from handlers.leaderboards import bring_up_to_date
from state import boards as state
from state.boards import Boards, Place
from state.connect import RedisStore
from state.documents import DocumentStore
from state.migrations import migrate
from state.ratings import Ratings
from state.standings import Score, Standings
from tests.contract.duels_kit import now
from tests.contract.ladder_kit import build, finished, seat
from tests.fixtures import Stores
from tests.sizes import sized

MANY = 100_000
# Both drivers do the same here, and are held to more in tests/contract/test_ledger.py.
DRIVER = pytest.mark.parametrize("documents", ["motor"], indirect=True)
IN_MONGO = sized("BOARD_DOCUMENTS", 3_000, 100_000)


@pytest.fixture
async def world(redis: RedisStore, documents: DocumentStore) -> World:
    world = await build(redis, documents)
    await migrate(documents, world.now)
    return world


@pytest.fixture
async def ratings(redis: RedisStore) -> Ratings:
    """Only to ask which season it is."""
    at = await now(redis)
    return Ratings(cast("Any", None), Leaderboards(), lambda: at)


class Told(Standings):
    """Scores that a test makes up."""

    def __init__(self, scores: dict[str, tuple[int, int | None]]) -> None:
        self.known = scores

    async def scores(self, source: str, player_ids: Sequence[str]) -> dict[str, Any]:
        return {one: (Score(*self.known[one]),) for one in player_ids if one in self.known}

    async def players(self, source: str) -> AsyncIterator[str]:
        for player in self.known if source == "wealth" else ():
            yield player


class Counted:
    """A Redis that counts what it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *_: object) -> None:
        self.calls += 1


async def filled(
    redis: RedisStore, ratings: Ratings, **scores: int | tuple[int, int | None]
) -> Boards:
    known = {name: (one, None) if isinstance(one, int) else one for name, one in scores.items()}
    boards = Boards(redis, Told(known), ratings)
    await boards.mark("wealth", known)
    while await boards.settle():
        pass
    return boards


async def places(boards: Boards, ratings: Ratings, limit: int = 100) -> list[Place]:
    return (await boards.top("wealth", ratings.season, limit, None)).places


async def test_equals_share_a_rank_and_who_was_first_is_shown_first(
    redis: RedisStore, ratings: Ratings
) -> None:
    boards = await filled(redis, ratings, ann=(5, 30), bob=(9, 1), eve=(5, 20), dan=(5, 40), zoe=1)
    assert await places(boards, ratings) == [
        Place(1, "bob", 9),
        Place(2, "eve", 5),
        Place(2, "ann", 5),
        Place(2, "dan", 5),
        Place(5, "zoe", 1),
    ]


async def test_scores_are_exact_to_the_last_coin_and_zero_is_no_place(
    redis: RedisStore, ratings: Ratings
) -> None:
    boards = await filled(redis, ratings, ann=INT64_MAX - 1, bob=INT64_MAX, eve=0)
    assert await places(boards, ratings) == [
        Place(1, "bob", INT64_MAX),
        Place(2, "ann", INT64_MAX - 1),
    ]


async def test_who_reaches_a_score_again_is_behind_those_who_kept_it(
    redis: RedisStore, ratings: Ratings
) -> None:
    boards = await filled(redis, ratings, ann=5, bob=5)
    known = boards._standings.known  # type: ignore[attr-defined]
    for points in (6, 5):
        await asyncio.sleep(0.002)
        known["ann"] = (points, None)
        await boards.mark("wealth", ["ann", "bob"])
        await boards.settle()
    assert [place.player_id for place in await places(boards, ratings)] == ["bob", "ann"]
    del known["bob"]
    await boards.mark("wealth", ["bob"])
    await boards.settle()
    assert [place.player_id for place in await places(boards, ratings)] == ["ann"]


async def test_what_was_read_before_a_newer_mark_is_not_written(
    redis: RedisStore, ratings: Ratings
) -> None:
    boards = await filled(redis, ratings, ann=5)
    slow: Any = boards._standings
    read, go = asyncio.Event(), asyncio.Event()
    quick = slow.scores

    async def waits(source: str, player_ids: Sequence[str]) -> Any:
        found = await quick(source, player_ids)
        read.set()
        await go.wait()
        return found

    slow.scores = waits
    await boards.mark("wealth", ["ann"])
    late = asyncio.create_task(boards.settle())
    await read.wait()
    slow.scores, slow.known["ann"] = quick, (7, None)
    await boards.mark("wealth", ["ann"])
    await boards.settle()
    go.set()
    await late
    assert await places(boards, ratings) == [Place(1, "ann", 7)]
    assert await redis.call("EXISTS", state.DIRTY) == 0


async def test_what_a_dead_node_was_lent_another_one_settles(
    redis: RedisStore, ratings: Ratings, monkeypatch: pytest.MonkeyPatch
) -> None:
    boards = await filled(redis, ratings, ann=5)
    monkeypatch.setattr(state, "LEASE_MS", 1)
    await boards.mark("wealth", ["ann"])
    await redis.run(state.CLAIM, [state.DIRTY], [10, 1])
    await asyncio.sleep(0.005)
    await boards.settle()
    assert await redis.call("EXISTS", state.DIRTY) == 0


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(0, 4), max_size=12))
def test_ranks_are_one_more_than_how_many_have_more(scores: dict[str, int]) -> None:
    """The rule that the test below holds boards of every shape to."""
    ranks = naive(scores)
    assert all(rank == 1 + sum(b > scores[a] for b in scores.values()) for a, rank in ranks.items())


def naive(scores: dict[str, int]) -> dict[str, int]:
    ordered = sorted((points for points in scores.values() if points), reverse=True)
    return {name: ordered.index(points) + 1 for name, points in scores.items() if points}


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_put_together_are_the_whole_board_and_around_is_a_part_of_it(
    redis: RedisStore, ratings: Ratings, limit: int
) -> None:
    scores = {f"p{n}": n * n % 5 for n in range(23)}
    boards = await filled(redis, ratings, **scores)
    season, ranks = ratings.season, naive(scores)
    found: list[Place] = []
    after: str | None = None
    while True:
        page = await boards.top("wealth", season, limit, after)
        assert page.total == len(ranks)
        found += page.places
        if (after := page.next_after) is None:
            break
    assert {place.player_id: place.rank for place in found} == ranks
    for number, place in enumerate(found):
        near = (await boards.around("wealth", season, limit, place.player_id)).places
        assert place in near
        assert len(near) == limit
        assert near == found[found.index(near[0]) :][:limit]
        assert abs(near.index(place) - limit // 2) <= max(0, limit // 2 - number, 0) or number > 3
    assert (await boards.around("wealth", season, limit, "p0")).places == []  # he has nothing


async def test_of_100_000_players_top_and_around_are_one_question(
    redis: RedisStore, stores: Stores, ratings: Ratings
) -> None:
    standings = Told({f"p{n:06}": (n // 3 + 1, n) for n in range(MANY)})
    boards = Boards(redis, standings, ratings)
    await boards.build()
    while await boards.settle():
        pass
    counted = Counted()
    async with RedisStore(stores.redis_url, Redis(), counted) as asked:
        boards = Boards(asked, standings, ratings)
        await asked.ping()
        counted.calls = 0
        top = await boards.top("wealth", ratings.season, 100, None)
        near = await boards.around("wealth", ratings.season, 5, "p050000")
        below = await boards.top("wealth", ratings.season, 100, top.next_after)
    assert counted.calls <= 6  # three questions; each script is loaded at its first use
    assert top.total == MANY
    assert (top.places[0].rank, top.places[0].score) == (1, MANY // 3 + 1)
    assert [place.rank for place in near.places] == [50_000] * 3 + [50_003] * 2
    assert near.places[2].player_id == "p050000"
    assert below.places[0].rank <= 101
    assert len({place.player_id for place in [*top.places, *below.places]}) == 200


@DRIVER
async def test_a_lost_redis_is_rebuilt_from_what_mongodb_knows(
    redis: RedisStore, documents: DocumentStore, world: World
) -> None:
    season = world.ladder.ratings.season
    ratings = [
        {"_id": f"{season.id}/p{n}", "season": season.id, "player": f"p{n}", "score": n + 1}
        | {"score_at": n, "wins": n % 7, "wins_at": n}
        for n in range(IN_MONGO)
    ]
    await documents.call("ratings", "insert_many", ratings)
    wallets = [{"_id": f"player:p{n}", "balance": n} for n in range(IN_MONGO)]
    await documents.call("wallets", "insert_many", [*wallets, {"_id": "escrow:x", "balance": 9}])
    for _ in range(2):
        await redis.call("FLUSHALL")
        await world.ladder.boards.build()
        await bring_up_to_date(world)
        for board, best in (("rating", IN_MONGO), ("wins", 6), ("wealth", IN_MONGO - 1)):
            page = await world.ladder.boards.top(board, season, 3, None)  # type: ignore[arg-type]
            assert page.places[0].score == best
            assert page.total == IN_MONGO - (board == "wealth") - len(range(0, IN_MONGO, 7)) * (
                board == "wins"
            )
    assert (await world.ladder.boards.top("wins", season, 2, None)).places[1].rank == 1
    await world.ladder.boards.build()
    assert await redis.call("EXISTS", state.DIRTY) == 0  # what is there is not built again


@DRIVER
async def test_a_duel_and_a_posting_reach_the_boards(world: World) -> None:
    ann = await seat(world, "ann")
    await world.economy.ledger.balance(ann.id)
    duel = finished("d1", ann.id, world.now(), "p-bob")
    rated = await world.ladder.ratings.apply(duel)
    await world.ladder.boards.mark(rated.season, [one.player_id for one in rated.changes])
    await world.ladder.boards.mark("wealth", [ann.id])
    await bring_up_to_date(world)
    wins = await ann("leaderboard:top", board="wins")
    assert [(one["rank"], one["player"]["id"], one["score"]) for one in wins["entries"]] == [
        (1, ann.id, 1)
    ]
    assert (await ann("leaderboard:around", board="rating"))["entries"][0]["score"] == 206
    wealth = await ann("leaderboard:top", board="wealth")
    assert (wealth["season"], wealth["entries"][0]["score"]) == (None, 1_000)
    assert wealth["next_after"] is None
