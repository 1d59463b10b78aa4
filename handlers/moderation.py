"""Moderation: who may not speak for a while."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from game import rooms
from game.chat import MutedEvent
from handlers.base import Context, Id, Payload, command

MUTE_SECONDS = 300  # a moderator who names no time wants a break, no punishment
MUTE_SECONDS_MAX = 30 * 86_400  # longer is a ban


class Unmute(Payload):
    """Who may speak again, and why."""

    player_id: Id
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class Mute(Unmute):
    """Who may not speak, for how long, and why."""

    seconds: Annotated[int, Field(ge=1, le=MUTE_SECONDS_MAX)] = MUTE_SECONDS


@command("chat:mute", Mute)
async def mute(cmd: Mute, ctx: Context) -> MutedEvent:
    """Let a player not speak for a while; the newest decision counts.

    Raises:
        Forbidden: the caller is no moderator.
        NotFound: there is no such player.
    """
    ctx.only_moderators()
    player = await ctx.world.accounts.player(cmd.player_id)
    until = ctx.now() + cmd.seconds * 1000
    await ctx.world.chat.mute(player.id, until)
    return await _tell(player.id, until, cmd.reason, ctx)


@command("chat:unmute", Unmute)
async def unmute(cmd: Unmute, ctx: Context) -> MutedEvent:
    """Let a player speak again, his mute ladder at its beginning.

    Raises:
        Forbidden: the caller is no moderator.
        NotFound: there is no such player.
    """
    ctx.only_moderators()
    player = await ctx.world.accounts.player(cmd.player_id)
    await ctx.world.chat.unmute(player.id)
    return await _tell(player.id, None, cmd.reason, ctx)


async def _tell(player_id: str, until: int | None, reason: str, ctx: Context) -> MutedEvent:
    event = MutedEvent(player_id=player_id, muted_until=until, reason=reason)
    await ctx.world.publisher.emit("chat:muted", event, rooms.player(player_id))
    return event
