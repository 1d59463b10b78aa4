"""Connections on all nodes, for administrators: count them, look at them, end them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from game import rooms
from game.chat import ROOM_PATTERN
from game.connections import Connections
from game.disconnects import Disconnect
from game.errors import ValidationFailed
from handlers.base import Context
from handlers.payloads import Id, Payload
from handlers.registry import noted, route

ADMINS = frozenset({"admin"})


class Wanted(Payload):
    """Which connections: of a chat room, of a player, or all; and how many to show."""

    room: Annotated[str, StringConstraints(pattern=ROOM_PATTERN)] | None = None
    player_id: Id | None = None
    limit: Annotated[int, Field(ge=0, le=100)] = 50


class Whose(Payload):
    """A player."""

    player_id: Id


class EndedConnections(TypedDict):
    """How many connections were ended; `complete`: every node answered when they were counted."""

    ended: int
    complete: bool


@route("GET", "/connections", Wanted, roles=ADMINS)
async def find(cmd: Wanted, ctx: Context) -> Connections:
    """Count connections over all nodes, and look at some of them.

    A node that does not answer within a second is named, and `complete` is false.

    Raises:
        ValidationFailed: both a room and a player are given.
    """
    return await ctx.world.publisher.connections(_where(cmd), cmd.limit)


@noted
@route("DELETE", "/connections/{player_id}", Whose, roles=ADMINS)
async def end(cmd: Whose, ctx: Context) -> EndedConnections:
    """End all connections of a player, on whatever node. They are told `kicked`, and their
    clients do not come back by themselves; the player may sign in again.
    """
    room = rooms.player(cmd.player_id)
    there = await ctx.world.publisher.connections(room, 0)
    await ctx.world.publisher.close(room, Disconnect.KICKED)
    return EndedConnections(ended=there["total"], complete=there["complete"])


def _where(cmd: Wanted) -> str | None:
    if cmd.room and cmd.player_id:
        raise ValidationFailed("Give a room or a player.")
    if cmd.room:
        return rooms.chat(cmd.room)
    return rooms.player(cmd.player_id) if cmd.player_id else None
