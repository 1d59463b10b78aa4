"""Push messages: a notification for the devices of an account whose player is away."""

from __future__ import annotations

from dataclasses import replace

import orjson

from game.errors import DependencyUnavailable
from handlers.telling import SendPush
from jobs.base import COMMUNICATION, JobContext, RetryLaterError, task
from state.contacts import Contact, Device

AGAIN_SECONDS = 5.0


@task(SendPush, profile=COMMUNICATION, timeout=300, delays=(5.0, 60.0, 600.0))
async def send(job: SendPush, ctx: JobContext) -> int:
    """Send it to every device; those that are gone are forgotten. Returns how many took it."""
    outbound = ctx.world.outbound
    contact = await outbound.contacts.get(job.account_id)
    news = await outbound.mailboxes.get(job.player_id, job.notification_id)
    if news is None or not contact.wants(news["kind"], "push"):
        return 0
    taken, away = 0, False
    for device in contact.devices:
        try:
            if await ctx.world.ways.push.send(device, orjson.dumps(news), news["id"]):
                taken += 1
            else:
                await _forget(ctx, job.account_id, device)
        except DependencyUnavailable:
            away = True
    if away:  # a device that has it already has it once, by its topic
        raise RetryLaterError("a push service does not answer", AGAIN_SECONDS)
    return taken


async def _forget(ctx: JobContext, account_id: str, device: Device) -> None:
    def rule(one: Contact) -> Contact:
        return replace(one, devices=tuple(known for known in one.devices if known != device))

    await ctx.world.outbound.contacts.change(account_id, rule)
