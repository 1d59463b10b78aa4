"""Duels, watched by others."""

from __future__ import annotations

from typing_extensions import TypedDict

from game import rooms
from game.duel_views import DuelView, may_see, view_for
from game.duels import Duel
from game.errors import Conflict, DuelOver, GameError, NotFound
from handlers.base import Context
from handlers.payloads import Id, Payload
from handlers.registry import command


class WatchedDuel(Payload):
    """One duel, by its id."""

    duel_id: Id


class WatchedReply(TypedDict):
    """The duel as everybody may see it."""

    duel: DuelView


@command("duel:spectate", WatchedDuel)
async def spectate(cmd: WatchedDuel, ctx: Context) -> WatchedReply:
    """Watch others fight, without their hands.

    Raises:
        NotFound: no such duel, or not accepted yet.
        DuelOver: the duel is over.
        Conflict: the caller fights in it, or watches as many as he may.
    """
    room = rooms.spectators(cmd.duel_id)
    _check_seats(ctx, room)
    await ctx.socket.join(room)  # first, so that nothing falls between the two
    try:
        duel = await ctx.world.duels.get(cmd.duel_id)
        _check_watchable(duel, ctx.player_id)
    except GameError:
        await ctx.socket.leave(room)
        raise
    return WatchedReply(duel=view_for(duel, None))


@command("duel:unspectate", WatchedDuel)
async def unspectate(cmd: WatchedDuel, ctx: Context) -> WatchedReply:
    """Watch no more.

    Raises:
        NotFound: no such duel, or not the caller's to see.
    """
    await ctx.socket.leave(rooms.spectators(cmd.duel_id))
    await ctx.socket.leave(rooms.chat(f"duel:{cmd.duel_id}"))  # it is for those who watch
    await ctx.world.chat.leave(ctx.socket.connection, f"duel:{cmd.duel_id}")
    return WatchedReply(duel=await _visible(cmd.duel_id, ctx))


async def _visible(duel_id: str, ctx: Context) -> DuelView:
    duel = await ctx.world.duels.get(duel_id)
    if not may_see(duel, ctx.player_id):
        raise NotFound("There is no such duel.")
    return view_for(duel, ctx.player_id)


def _check_seats(ctx: Context, room: str) -> None:
    watched = [other for other in ctx.socket.rooms if other.startswith(rooms.spectators(""))]
    if len(watched) >= ctx.world.settings.limits.rooms_per_connection and room not in watched:
        raise Conflict("This connection watches as many duels as it may.")


def _check_watchable(duel: Duel, viewer_id: str) -> None:
    if viewer_id in [fighter.id for fighter in duel.fighters]:
        raise Conflict("You fight in this duel.")
    if duel.status == "finished":
        raise DuelOver
    if duel.status != "active":
        raise NotFound("There is no such duel.")
