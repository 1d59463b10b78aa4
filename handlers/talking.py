"""Who may read, write and change what: asked before anything is done in chat."""

from __future__ import annotations

from game import rooms
from game.chat import Author, Editor, Kind, MessageId, Room
from game.errors import Forbidden, Muted, NotFound
from handlers.base import Context


async def check_access(room: Room, ctx: Context) -> None:
    """Let a player into what everybody may enter, his whispers, and duels he fights or watches.

    Raises:
        Forbidden: it is not his.
    """
    if room.kind is Kind.WHISPER and ctx.player_id not in room.ids:
        raise Forbidden
    if room.kind is not Kind.DUEL or rooms.spectators(room.ids[0]) in ctx.socket.rooms:
        return
    if ctx.player_id not in await ctx.world.duels.fighters(room.ids[0]):
        raise Forbidden("Only fighters and spectators are let in.")


def check_joined(room: Room, ctx: Context) -> None:
    """Let a connection write where it is.

    Raises:
        Forbidden: it is not in the room.
    """
    if rooms.chat(room.name) not in ctx.socket.rooms:
        raise Forbidden("Join the room first.")


async def check_voice(ctx: Context) -> None:
    """Let those write who are not muted.

    Raises:
        Muted: the player is.
    """
    until = await ctx.world.chat.muted_until(ctx.player_id) or 0
    if until > ctx.now():
        raise Muted(retry_after=(until - ctx.now()) / 1000)


def seen_message(text: str, ctx: Context) -> MessageId:
    """A message's id; somebody else's whisper is not there, unless for a moderator.

    Raises:
        NotFound: it is none.
    """
    message_id = MessageId.parse(text)
    room = Room.named(message_id.room)
    if room.kind is Kind.WHISPER and ctx.player_id not in room.ids and not ctx.caller.moderates:
        raise NotFound("There is no such message.")
    return message_id


def author(ctx: Context) -> Author:
    """The player, as what he writes shows him."""
    return Author(id=ctx.player_id, name=ctx.caller.name)


def editor_of(ctx: Context) -> Editor:
    """The player, as the rules for changing messages see him."""
    window_ms = ctx.world.settings.chat.edit_seconds * 1000
    return Editor(ctx.player_id, ctx.caller.moderates, ctx.now(), window_ms)
