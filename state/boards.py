"""Leaderboards: who has the most, in Redis, made from what MongoDB knows.

| key | type | lifetime | owner |
| --- | --- | --- | --- |
| `{boards}:dirty` | zset "<source>/<player>" -> when a node may look, ms | until then | `settle` |
| `{boards}:built:<source>` | mark that its boards are complete | as its boards | TTL |
| `{boards}:order:<board>` | zset of score, since and player, one text | but wealth's: TTL | TTL |
| `{boards}:places:<board>` | hash player -> score and since | as the order | as the order |

A board's order is that of texts, all with the same number in the zset: 16 digits of the
score, 12 of how long before the end of time it was reached (who was first is ahead), then
the player. A number would be exact only below 2^53, and would not order equals.

Who changed is marked, and a node sets his scores to what his documents say then. A mark is
lent by its time: one that was made again meanwhile has another, and what was read before
that is not written. So what is written last was read last, and nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from game.seasons import Season
from state.connect import Argument, RedisStore, Script
from state.ratings import Ratings
from state.standings import WEALTH, Board, Scores, Standings, boards_of

PREFIX = "{boards}:"
DIRTY = PREFIX + "dirty"
BATCH = 500  # players whose scores are set together
LEASE_MS = 10_000  # a node that dies with marked players delays them by this
BUILD_MS = 60_000  # a node that dies while it marks everybody leaves that to another
MARKS = 1_000  # in one command
DIGITS, TIME_DIGITS = 16, 12
GRACE_MS = 86_400_000  # an old season's keys outlive the last question for it
AT_ONCE_MS = 1

CLAIM, SETTLE, PAGE = Script("board_claim"), Script("board_settle"), Script("board_page")


@dataclass(frozen=True, slots=True)
class Place:
    """A player on a board; players with equal scores have equal ranks: 1, 2, 2, 4."""

    rank: int
    player_id: str
    score: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a board, the best first; `next_after` goes on below it."""

    places: list[Place]
    total: int
    next_after: str | None


class Boards:
    """The leaderboards of all nodes."""

    def __init__(self, redis: RedisStore, standings: Standings, ratings: Ratings) -> None:
        self._redis = redis
        self._standings = standings
        self._ratings = ratings

    # Reading

    async def top(self, board: Board, season: Season, limit: int, after: str | None) -> Page:
        """The best, or those below the end of a page before (`next_after`)."""
        return await self._page(board, season, "after" if after else "top", after or "", limit)

    async def around(self, board: Board, season: Season, limit: int, player_id: str) -> Page:
        """A player with those next to him; nobody if he is not on the board."""
        return await self._page(board, season, "around", player_id, limit)

    async def _page(self, board: Board, season: Season, mode: str, at: str, limit: int) -> Page:
        keys = _keys(board, WEALTH if board == "wealth" else season.id)
        total, start, ahead, *found = await self._redis.run(PAGE, keys, [mode, at, limit])
        places: list[Place] = []
        for number, text in enumerate(found):
            score = int(text[:DIGITS], 16)
            if places and places[-1].score == score:
                rank = places[-1].rank
            else:
                rank = (start + number if number else ahead) + 1
            places.append(Place(rank, text[DIGITS + TIME_DIGITS :], score))
        more = start + len(found) < total
        return Page(places, total, found[-1] if found and more else None)

    # Writing

    async def mark(self, source: str, player_ids: Iterable[str], *, again: bool = True) -> None:
        """These players' scores may be others now; not `again` leaves present marks alone."""
        marks: list[Argument] = []
        for player in player_ids:
            marks += [0, f"{source}/{player}"]
        if marks:
            await self._redis.call("ZADD", DIRTY, *(() if again else ("NX",)), *marks)

    async def settle(self) -> bool:
        """Set the scores of some marked players; whether there may be more of them."""
        lease, marks = await self._redis.run(CLAIM, [DIRTY], [BATCH, LEASE_MS])
        sources: dict[str, list[str]] = {}
        for one in marks:
            source, _, player = one.partition("/")
            sources.setdefault(source, []).append(player)
        for source, players in sources.items():
            scores = await self._standings.scores(source, players)
            await self._set(source, lease, players, scores)
        return len(marks) == BATCH

    async def _set(
        self, source: str, lease: str, players: Sequence[str], scores: dict[str, Scores]
    ) -> None:
        boards = boards_of(source)
        keys = [DIRTY, *(key for board in boards for key in _keys(board, source))]
        args: list[Argument] = [lease, self._expiry(source), source + "/"]
        for player in players:
            args.append(player)
            for score in scores.get(player, ((0, None),) * len(boards)):
                args += [_digits(score[0], DIGITS) if score[0] > 0 else "", _since(score[1])]
        await self._redis.run(SETTLE, keys, args)

    async def build(self) -> None:
        """Mark everybody of a board that Redis has not, or has lost."""
        sources = [WEALTH, *(season.id for season in self._ratings.readable())]
        built = await self._redis.batch([("EXISTS", _built(one)) for one in sources])
        for source, there in zip(sources, built, strict=True):
            lent = ("SET", _built(source), "0", "NX", "PX", BUILD_MS)
            if not there and await self._redis.call(*lent):
                await self._build(source)

    async def _build(self, source: str) -> None:
        players: list[str] = []
        async for player in self._standings.players(source):
            players.append(player)
            if len(players) == MARKS:
                await self.mark(source, players, again=False)
                players = []
        await self.mark(source, players, again=False)
        expiry = self._expiry(source)
        await self._redis.call("SET", _built(source), "1", *(("PXAT", expiry) if expiry else ()))

    def _expiry(self, source: str) -> int | str:
        """When (ms) nobody may ask for the boards of a season any more; none for wealth."""
        if source == WEALTH:
            return ""
        ends = self._ratings.kept_until(source)
        return ends + GRACE_MS if ends else AT_ONCE_MS


def _keys(board: Board, source: str) -> list[str]:
    name = board if source == WEALTH else f"{board}:{source}"
    return [f"{PREFIX}order:{name}", f"{PREFIX}places:{name}"]


def _built(source: str) -> str:
    return f"{PREFIX}built:{source}"


def _digits(number: int, width: int) -> str:
    return f"{number:0{width}x}"


def _since(at: int | None) -> str:
    return "" if at is None else _digits(16**TIME_DIGITS - 1 - at, TIME_DIGITS)
