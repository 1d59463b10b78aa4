"""Telling others: one line for a feature in which something happened.

`happened` tells other servers of a domain event, `notify` tells a player. Both may be called
again for the same thing and change nothing then, so a reaction may call them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar, Literal

from game import rooms
from game.errors import DependencyUnavailable, NotFound
from game.events import Event
from game.notifications import Notification
from handlers.base import Once, World
from handlers.payloads import Id, TaskPayload


class DeliverLane(TaskPayload):
    """Send what waits in a lane of an endpoint (state/deliveries.py)."""

    task: ClassVar[str] = "webhooks.deliver"
    lane: str


class SendEmail(TaskPayload):
    """Tell an account by e-mail of a notification, or ask whether the address is its own."""

    task: ClassVar[str] = "email.send"
    account_id: Id
    about: Literal["notification", "address"]
    player_id: str = ""
    notification_id: str = ""


class SendPush(TaskPayload):
    """Tell the devices of an account of a notification."""

    task: ClassVar[str] = "push.send"
    account_id: Id
    player_id: Id
    notification_id: Id


async def happened(world: World, event: Event) -> None:
    """Tell whoever subscribed to it of an event."""
    wanting = await world.outbound.webhooks.wanting(event.type, event.at)
    if not wanting:
        return
    for lane in await world.outbound.deliveries.record(event, wanting):
        with suppress(DependencyUnavailable):  # what waits in it is found by the sweep
            await world.jobs.enqueue(DeliverLane(lane=lane))


async def notify(world: World, player_id: str, news: Notification) -> None:
    """Tell a player of something: on his devices, in his mailbox and, if he is away, by
    e-mail and push as he likes.
    """
    kept = await world.outbound.mailboxes.put(player_id, news)
    once = Once(kept["id"], int(kept["at"]))  # out of MongoDB it is an Int64
    await world.publisher.emit("notification", kept, rooms.player(player_id), once=once)
    if await _away(world, player_id):
        with suppress(NotFound):  # deleted meanwhile
            await _reach(world, player_id, kept)


async def notify_away(world: World, player_id: str, news: Notification) -> None:
    """Tell a player of something that he would see by itself, were he there."""
    if await _away(world, player_id):
        await notify(world, player_id, news)


async def _away(world: World, player_id: str) -> bool:
    return (await world.live.attendance(player_id)).sockets == 0


async def _reach(world: World, player_id: str, news: Notification) -> None:
    account = (await world.accounts.player(player_id)).account_id
    contact = await world.outbound.contacts.get(account)
    which = {"account_id": account, "player_id": player_id, "notification_id": news["id"]}
    if contact.wants(news["kind"], "email") and world.ways.mail:
        await world.jobs.enqueue(SendEmail(about="notification", **which), key=news["id"])
    if contact.wants(news["kind"], "push"):
        await world.jobs.enqueue(SendPush(**which), key=news["id"])
