"""Presence: show yourself, ask for others, be told when they change."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from handlers.base import Context
from handlers.payloads import Id, Payload
from handlers.registry import command
from state.live import PresenceView

PlayerIds = Annotated[list[Id], Field(max_length=100)]


class PresenceReply(TypedDict):
    """The presence of each player asked for, by id."""

    presence: dict[str, PresenceView]


class StatusReply(TypedDict):
    """The status that others see from now on."""

    status: str


class SetPresence(Payload):
    """How to be shown while connected."""

    status: Literal["online", "away", "busy"]


class Players(Payload):
    """Whom it is about."""

    player_ids: PlayerIds


async def _presence_of(cmd: Players, ctx: Context) -> PresenceReply:
    found = await ctx.world.live.presence(cmd.player_ids)
    return PresenceReply(presence={player: one.view for player, one in found.items()})


@command("presence:set", SetPresence)
async def show(cmd: SetPresence, ctx: Context) -> StatusReply:
    """Show yourself as online, away or busy, on all devices alike."""
    await ctx.world.live.set_status(ctx.player_id, cmd.status)
    await ctx.world.publisher.presence_changed([ctx.player_id])
    return StatusReply(status=cmd.status)


@command("presence:query", Players)
async def query(cmd: Players, ctx: Context) -> PresenceReply:
    """How these players show themselves; unknown ones are offline."""
    return await _presence_of(cmd, ctx)


@command("presence:watch", Players)
async def watch(cmd: Players, ctx: Context) -> PresenceReply:
    """How these players show themselves, and be told when that changes.

    Raises:
        Conflict: more players than one connection may watch.
    """
    await ctx.socket.watch(cmd.player_ids)  # first, so that no change falls between the two
    return await _presence_of(cmd, ctx)


@command("presence:unwatch", Players)
async def unwatch(cmd: Players, ctx: Context) -> PresenceReply:
    """Be told no more of these players."""
    await ctx.socket.unwatch(cmd.player_ids)
    return await _presence_of(cmd, ctx)
