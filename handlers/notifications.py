"""Notifications: what a player missed, and by which ways he wants to be told of what."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from game.errors import NotFound
from game.notifications import KINDS, Channel, Notification, reaches
from handlers.base import Context, World
from handlers.payloads import Id, Payload
from handlers.registry import command
from state.contacts import Contact

PAGE = 20
SHOWN = 1_000  # more is kept of nobody
KindName: TypeAlias = Literal[tuple(KINDS)]  # type: ignore[valid-type]


class PageOfNotifications(Payload):
    """The newest, or those before the one that a page ended with."""

    before: Id | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = PAGE


class ReadThem(Payload):
    """Which were seen; null is all of them."""

    ids: Annotated[list[Id], Field(max_length=100)] | None = None


class Choice(Payload):
    """Whether to be told of a kind in a way."""

    kind: KindName
    channel: Channel
    on: bool


class Choices(Payload):
    """What is to be another; nothing only asks."""

    choices: Annotated[tuple[Choice, ...], Field(max_length=100, strict=False)] = ()


class NotificationsReply(TypedDict):
    """Notifications, the newest first, and how many in all are unread.

    The cursor is null when there are no more.
    """

    notifications: list[Notification]
    unread: int
    next_before: str | None


class UnreadReply(TypedDict):
    """How many are unread now."""

    unread: int


class WaysOfKind(TypedDict):
    """Whether an account that is away is told of a kind by e-mail, and by push."""

    email: bool
    push: bool


class SettingsReply(TypedDict):
    """How an account is reached: by kind, at which address, on how many devices.

    `push_key` is what a browser subscribes with; `email` is null if none was given, and
    without `offers_email` the server sends none.
    """

    kinds: dict[str, WaysOfKind]
    offers_email: bool
    email: str | None
    verified: bool
    devices: int
    push_key: str


@command("notifications:list", PageOfNotifications)
async def listed(cmd: PageOfNotifications, ctx: Context) -> NotificationsReply:
    """What the player should see, and what he has seen."""
    mailboxes = ctx.world.outbound.mailboxes
    box = await mailboxes.page(ctx.player_id, cmd.before, cmd.limit)
    return NotificationsReply(
        notifications=box.items, unread=box.unread, next_before=box.next_before
    )


@command("notifications:read", ReadThem)
async def read(cmd: ReadThem, ctx: Context) -> UnreadReply:
    """Mark some as seen; those that are not there are none."""
    return UnreadReply(unread=await ctx.world.outbound.mailboxes.read(ctx.player_id, cmd.ids))


@command("notifications:settings", Choices)
async def settings(cmd: Choices, ctx: Context) -> SettingsReply:
    """By which ways the account is told of what when it is away."""

    def rule(contact: Contact) -> Contact:
        for one in cmd.choices:
            contact = contact.choose(one.kind, one.channel, on=one.on)
        return contact

    contacts, account = ctx.world.outbound.contacts, ctx.caller.account_id
    contact = await (contacts.change(account, rule) if cmd.choices else contacts.get(account))
    return SettingsReply(
        kinds={kind: _ways(kind, contact) for kind in KINDS},
        offers_email=ctx.world.ways.mail is not None,
        email=contact.email,
        verified=contact.verified,
        devices=len(contact.devices),
        push_key=ctx.world.ways.push.public_key,
    )


async def forget(world: World, player_id: str) -> None:
    """What was kept for a player, what others were told of him, and how he is reached."""
    await world.outbound.mailboxes.delete(player_id)
    await world.outbound.mailboxes.forget_sender(player_id)
    with suppress(NotFound):  # gone in an earlier pass
        player = await world.accounts.player(player_id)
        await world.outbound.contacts.delete(player.account_id)


async def export(world: World, player_id: str) -> dict[str, list[dict[str, Any]]]:
    """The same, for him to see; of devices and addresses what he gave."""
    player = await world.accounts.player(player_id)
    contact = await world.outbound.contacts.get(player.account_id)
    box = await world.outbound.mailboxes.page(player_id, None, SHOWN)
    return {
        "notifications": [dict(one) for one in box.items],
        "contacts": [{"email": contact.email, "devices": [d.endpoint for d in contact.devices]}],
    }


def _ways(kind: str, contact: Contact) -> WaysOfKind:
    on, off = contact.on, contact.off
    return WaysOfKind(email=reaches(kind, "email", on, off), push=reaches(kind, "push", on, off))
