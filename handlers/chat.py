"""Chat: enter rooms, write, read back, whisper, change what was written."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

# Before Python 3.12 pydantic, which writes the documents from these types, does not take
# the one of `typing`.
from typing_extensions import TypedDict

from config.settings import Settings
from game import rooms
from game.chat import (
    ROOM_PATTERN,
    Author,
    ChatMessage,
    Kind,
    MessageId,
    MutedEvent,
    Room,
    TextRule,
    clean,
    masking,
)
from game.errors import Forbidden, ValidationFailed
from game.events import chat_reported
from handlers.base import Context, Once, World
from handlers.payloads import Empty, Id, Key, Payload
from handlers.registry import command, periodic
from handlers.talking import (
    author,
    check_access,
    check_joined,
    check_voice,
    editor_of,
    seen_message,
)
from handlers.telling import happened
from state.chat import Refused

JOIN_MESSAGES = 50  # protocol.md, chat:join
PAGE_MESSAGES = 100  # protocol.md, chat:history
ARCHIVE_SECONDS = 1.0  # what is only in Redis is at most about this old
AGAIN_MS = 20_000  # who was not answered has asked again by then
TOO_FAST = "Too many messages."

RoomName = Annotated[str, StringConstraints(pattern=ROOM_PATTERN)]
MessageIdText = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class Member(TypedDict):
    """A player in a room."""

    id: str
    name: str
    status: str


class Joined(TypedDict):
    """A room as it is entered: who came first, how many they are, what was said last."""

    room: str
    members: list[Member]
    member_count: int
    messages: list[ChatMessage]


class MessageReply(TypedDict):
    """The message as it is now."""

    message: ChatMessage


class HistoryReply(TypedDict):
    """The oldest message first; `next_before` is null at the room's beginning."""

    messages: list[ChatMessage]
    next_before: str | None


class ReportReply(TypedDict):
    """What the moderators know the report by."""

    report_id: str


TypingEvent = TypedDict("TypingEvent", {"room": str, "from": Author})
TypingEvent.__doc__ = "Who writes at this moment."


class InRoom(Payload):
    """Which room."""

    room: RoomName


class SendMessage(InRoom):
    """What to say; the same `client_id` says it once, however often it is sent."""

    text: str
    client_id: Key | None = None


class ReadHistory(InRoom):
    """How many messages, and before which one."""

    before: MessageIdText | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MESSAGES)] = JOIN_MESSAGES


class Whisper(Payload):
    """What to say to whom; the same `client_id` says it once."""

    to: Id
    text: str
    client_id: Key | None = None


class OneMessage(Payload):
    """Which message."""

    message_id: MessageIdText


class DeleteMessage(OneMessage):
    """Which message; a `text`, as for an edit, is not read."""

    text: str | None = None


class EditMessage(OneMessage):
    """What it says from now on."""

    text: str


class ReportMessage(OneMessage):
    """What is wrong with it."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


@command("chat:join", InRoom)
async def join(cmd: InRoom, ctx: Context) -> Joined:
    """Enter a room: who is there, and what was said last.

    Raises:
        NotFound: there is no such room.
        Forbidden: it is not the caller's to enter.
        Conflict: the connection is in as many rooms as one may be.
    """
    room = Room.named(cmd.room)
    if room.kind is Kind.WHISPER:
        raise Forbidden("Whispers are no room to enter.")
    await check_access(room, ctx)
    await ctx.world.chat.join(ctx.socket.connection, ctx.player_id, room.name)
    # Before the history, so that nothing falls between.
    await ctx.socket.join(rooms.chat(room.name))
    if rooms.chat(room.name) not in ctx.socket.rooms:  # it ended meanwhile, and left its rooms
        await ctx.world.chat.leave(ctx.socket.connection, room.name)
    ids, count = await ctx.world.chat.members(room.name)
    return Joined(
        room=room.name,
        members=await _members(ids, ctx.world),
        member_count=count,
        messages=await ctx.world.archive.latest(room.name, JOIN_MESSAGES),
    )


@command("chat:leave", InRoom)
async def leave(cmd: InRoom, ctx: Context) -> Empty:
    """Leave a room; not being in it is no error.

    Raises:
        NotFound: there is no such room.
    """
    room = Room.named(cmd.room)
    await ctx.socket.leave(rooms.chat(room.name))
    await ctx.world.chat.leave(ctx.socket.connection, room.name)
    return Empty()


@command("chat:send", SendMessage)
async def send(cmd: SendMessage, ctx: Context) -> MessageReply:
    """Say something to everybody in a room that the connection is in.

    Raises:
        ValidationFailed: the text cannot be shown.
        NotFound: there is no such room.
        Forbidden: the connection is not in it.
        Muted: the player is.
        RateLimited: too many messages; too many refusals mute.
    """
    room = Room.named(cmd.room)
    check_joined(room, ctx)
    return await _say(room, cmd.text, cmd.client_id, ctx)


@command("chat:whisper", Whisper)
async def whisper(cmd: Whisper, ctx: Context) -> MessageReply:
    """Say something to one player.

    Raises:
        ValidationFailed: the text cannot be shown, or it is the caller himself.
        NotFound: there is no such player.
        Forbidden: one of the two has blocked the other.
        Muted: the caller is.
        RateLimited: too many messages; too many refusals mute.
    """
    if cmd.to == ctx.player_id:
        raise ValidationFailed.of("to", "You cannot whisper to yourself.", "oneself")
    # Both leave at once: that blocks are looked up costs no time, and needs no cache.
    other, _ = await asyncio.gather(
        ctx.world.accounts.player(cmd.to), ctx.world.friends.refuse_blocked(ctx.player_id, cmd.to)
    )
    return await _say(Room.between(ctx.player_id, other.id), cmd.text, cmd.client_id, ctx)


@command("chat:history", ReadHistory)
async def history(cmd: ReadHistory, ctx: Context) -> HistoryReply:
    """Read what was said in a room, the newest page first.

    Raises:
        ValidationFailed: `before` is no message's id of this room.
        NotFound: there is no such room.
        Forbidden: it is not the caller's to read.
    """
    room = Room.named(cmd.room)
    before = MessageId.cursor(cmd.before, cmd.room) if cmd.before else None
    await check_access(room, ctx)
    page = await ctx.world.archive.history(room.name, before, cmd.limit)
    return HistoryReply(messages=page.messages, next_before=page.next_before)


@command("chat:edit", EditMessage)
async def edit(cmd: EditMessage, ctx: Context) -> MessageReply:
    """Put another text in a message's place: its author for some minutes, a moderator always.

    Raises:
        ValidationFailed: the text cannot be shown.
        NotFound: there is no such message.
        Forbidden: it is not the caller's to change, or not any more, or of a whisper one
            of the two has blocked the other.
        Conflict: it was deleted.
        Muted: the caller is.
        StaleVersion: others were faster every time.
    """
    text = _clean(cmd.text, ctx.world.settings)
    await check_voice(ctx)
    message_id = seen_message(cmd.message_id, ctx)
    editor = editor_of(ctx)
    room = Room.named(message_id.room)
    if room.kind is Kind.WHISPER and not ctx.caller.moderates:
        await ctx.world.friends.refuse_blocked(*room.ids)  # it would say something new
    await _note("edit_message", message_id, ctx)
    message = await ctx.world.archive.change(message_id, lambda one: editor.edit(one, text))
    await _publish("chat:edited", message, ctx)
    return MessageReply(message=message)


@command("chat:delete", DeleteMessage)
async def delete(cmd: DeleteMessage, ctx: Context) -> MessageReply:
    """Take a message's text away: its author for some minutes, a moderator always.

    Raises:
        NotFound: there is no such message.
        Forbidden: it is not the caller's to change, or not any more.
        StaleVersion: others were faster every time.
    """
    message_id = seen_message(cmd.message_id, ctx)
    await _note("delete_message", message_id, ctx)
    message = await ctx.world.archive.change(message_id, editor_of(ctx).delete)
    # Deleted before, it is told again: the first time may have died before it was told.
    await _publish("chat:deleted", message, ctx)
    return MessageReply(message=message)


@command("chat:report", ReportMessage)
async def report(cmd: ReportMessage, ctx: Context) -> ReportReply:
    """Show a message to the moderators, as it is now.

    Raises:
        NotFound: there is no such message, or it is not the caller's to see.
        Forbidden: its room is not the caller's to read.
        RateLimited: the caller reports more than LIMITS__REPORTS_PER_HOUR.
    """
    message_id = seen_message(cmd.message_id, ctx)
    await check_access(Room.named(message_id.room), ctx)
    message = await ctx.world.archive.find(message_id)
    await ctx.world.rates.report(ctx.player_id)
    reports, at = ctx.world.moderation.reports, ctx.now()
    report_id = await reports.file(message, author(ctx), cmd.reason, at)
    reported = chat_reported(message, report_id, ctx.player_id, cmd.reason, at)
    await happened(ctx.world, reported)
    return ReportReply(report_id=report_id)


@command("chat:typing", InRoom)
async def typing(cmd: InRoom, ctx: Context) -> None:
    """Let the others in a room see that the caller writes.

    Raises:
        NotFound: there is no such room.
        Forbidden: the connection is not in it.
    """
    room = Room.named(cmd.room)
    check_joined(room, ctx)
    event: TypingEvent = {"room": room.name, "from": author(ctx)}
    audience = rooms.chat(room.name)
    await ctx.world.publisher.emit(
        "chat:typing", event, audience, skip=ctx.socket.sid, volatile=True
    )


async def leave_rooms(world: World, connection: str) -> None:
    """A socket is gone: it leaves its rooms."""
    await world.chat.leave_all(connection)


@periodic("chat archive", lambda _: ARCHIVE_SECONDS)
async def archive_chat(world: World) -> int:
    """Write what waits in the rooms' streams to the archive."""
    return await world.archive.archive_once()


# What all of them do


async def _say(room: Room, text: str, client_id: str | None, ctx: Context) -> MessageReply:
    shown = _clean(text, ctx.world.settings)
    outcome = await ctx.world.chat.send(room.name, author(ctx), shown, client_id)
    if isinstance(outcome, Refused):
        await _tell_muted(outcome.muted_until, ctx)
        raise outcome.error
    message = outcome.message
    # Asked again, it is told again: the first time may have died before it was told.
    if outcome.fresh or ctx.now() - message["sent_at"] < AGAIN_MS:
        once = Once(message["id"], message["sent_at"])
        await _publish("chat:message", message, ctx, once)
    return MessageReply(message=message)


async def _tell_muted(until: int | None, ctx: Context) -> None:
    if until is None:
        return
    event = MutedEvent(player_id=ctx.player_id, muted_until=until, reason=TOO_FAST)
    await ctx.world.publisher.emit("chat:muted", event, rooms.player(ctx.player_id))


async def _publish(
    event: str, message: ChatMessage, ctx: Context, once: Once | None = None
) -> None:
    room = Room.named(message["room"])
    whispered = room.kind is Kind.WHISPER
    audience = map(rooms.player, room.ids) if whispered else [rooms.chat(room.name)]
    for name in audience:
        await ctx.world.publisher.emit(event, message, name, once=once)


async def _members(ids: list[str], world: World) -> list[Member]:
    presence = await world.live.presence(ids)
    return [Member(id=one, name=presence[one].name, status=presence[one].status) for one in ids]


async def _note(
    action: Literal["edit_message", "delete_message"], of: MessageId, ctx: Context
) -> None:
    # Before it is done, for want of a step common to both stores: what was done is in the log.
    if ctx.caller.moderates:
        message = await ctx.world.archive.find(of)
        await ctx.world.moderation.actions.note(ctx.caller.account_id, action, message)


def _clean(text: str, settings: Settings) -> str:
    # The place to put another filter, before or after this one.
    rules: tuple[TextRule, ...] = (masking(settings.chat.masked_words),)
    return clean(text, settings.limits.chat_chars, rules)
