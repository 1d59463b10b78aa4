"""Leaderboards and ratings: who is best, and where one stands."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from game.chat import NOBODY
from game.errors import NotFound
from game.seasons import Season
from handlers.base import Context, World
from handlers.payloads import Id, Payload
from handlers.registry import command, periodic, route
from state.boards import Page
from state.standings import WEALTH, Board

REBUILD_SECONDS = 5.0  # how long a board that Redis lost goes unnoticed


class Around(Payload):
    """Which board, how many of it, and of which season; the present one by default."""

    board: Board
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    season: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(q[1-4]|[0-9]{2})$")] | None = None


class Top(Around):
    """The same, from the best on, or below the end of another page (`next_after`)."""

    after: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{28}[a-z0-9-]{1,64}$")] | None = None


class WhoseRating(Payload):
    """A player; the caller by default."""

    player_id: Id | None = None


class RankedPlayer(TypedDict):
    """Who it is."""

    id: str
    name: str


class Entry(TypedDict):
    """A player's place; equal scores have equal ranks: 1, 2, 2, 4."""

    rank: int
    player: RankedPlayer
    score: int


class AroundReply(TypedDict):
    """Part of a board, the best first, and how many are on it; wealth has no seasons."""

    board: Board
    season: str | None
    entries: list[Entry]
    total: int


class TopReply(AroundReply):
    """The same, and what to ask for the next page with; null if this is the last."""

    next_after: str | None


class RatingReply(TypedDict):
    """A player's present season: docs/matchmaking.md says what the numbers mean."""

    player_id: str
    season: str
    rating: int
    uncertainty: int
    score: int
    wins: int
    losses: int
    draws: int


@command("leaderboard:top", Top)
async def top(cmd: Top, ctx: Context) -> TopReply:
    """The best of a board.

    Raises:
        NotFound: the season is not kept, or the board has none.
    """
    season = _season(cmd, ctx)
    page = await ctx.world.ladder.boards.top(cmd.board, season, cmd.limit, cmd.after)
    shown = await _shown(cmd, season, page, ctx)
    return TopReply(**shown, next_after=page.next_after)


@command("leaderboard:around", Around)
async def around(cmd: Around, ctx: Context) -> AroundReply:
    """The caller's place and those next to it; no entries if he is not on the board.

    Raises:
        NotFound: the season is not kept, or the board has none.
    """
    season = _season(cmd, ctx)
    page = await ctx.world.ladder.boards.around(cmd.board, season, cmd.limit, ctx.player_id)
    return await _shown(cmd, season, page, ctx)


@route("GET", "/leaderboards/{board}", Top)
async def board(cmd: Top, ctx: Context) -> TopReply:
    """The best of a board, as `leaderboard:top`.

    Raises:
        NotFound: the season is not kept, or the board has none.
    """
    return await top(cmd, ctx)  # type: ignore[no-any-return]


@command("rating:get", WhoseRating)
async def rating(cmd: WhoseRating, ctx: Context) -> RatingReply:
    """How strong a player seems to be, and how his duels of this season ended.

    Raises:
        NotFound: there is no such player.
    """
    player_id = cmd.player_id or ctx.player_id
    if cmd.player_id:
        await ctx.world.accounts.player(player_id)
    record = await ctx.world.ladder.ratings.of(player_id)
    return RatingReply(
        player_id=player_id,
        season=ctx.world.ladder.ratings.season.id,
        rating=record.rating.shown,
        uncertainty=record.rating.uncertainty,
        score=record.rating.score,
        wins=record.wins,
        losses=record.losses,
        draws=record.draws,
    )


def _season(cmd: Around, ctx: Context) -> Season:
    readable = ctx.world.ladder.ratings.readable()
    if cmd.season is None:
        return readable[0]
    for season in readable:
        if season.id == cmd.season and cmd.board != WEALTH:
            return season
    raise NotFound("There is no such season of that board, or no more.")


async def _shown(cmd: Around, season: Season, page: Page, ctx: Context) -> AroundReply:
    names = await ctx.world.accounts.names([place.player_id for place in page.places])
    return AroundReply(
        board=cmd.board,
        season=None if cmd.board == WEALTH else season.id,
        entries=[
            Entry(
                rank=place.rank,
                player=RankedPlayer(
                    id=place.player_id, name=names.get(place.player_id, NOBODY["name"])
                ),
                score=place.score,
            )
            for place in page.places
        ],
        total=page.total,
    )


# --- whoever leaves -----------------------------------------------------------------------


async def seasons(world: World, player_id: str) -> dict[str, list[dict[str, Any]]]:
    """A player's seasons, for the file that he can ask for."""
    return {"ratings": await world.ladder.ratings.all_of(player_id)}


async def strike(world: World, player_id: str) -> None:
    """A player whose account is deleted is on no board any more."""
    await world.ladder.ratings.forget(player_id)
    for season in world.ladder.ratings.readable():
        await world.ladder.boards.mark(season.id, [player_id])


# --- keeping them -------------------------------------------------------------------------


@periodic("leaderboards", lambda settings: settings.leaderboards.every_seconds)
async def bring_up_to_date(world: World) -> None:
    """Set the scores of those that changed."""
    while await world.ladder.boards.settle():
        pass


@periodic("rebuild leaderboards", lambda _: REBUILD_SECONDS)
async def rebuild(world: World) -> None:
    """Make boards that Redis has not, or has lost."""
    await world.ladder.boards.build()
