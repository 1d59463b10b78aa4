"""Webhooks: what waits for an endpoint is sent, lane by lane, until it is taken or given up.

A lane is everything about one aggregate for one endpoint. In a lane the next event is sent
when the last was taken or given up, so that an endpoint hears of a thing in the order in
which it happened; different lanes do not wait for each other. What is to be sent is in
MongoDB (state/deliveries.py); a job only says where to look.
"""

from __future__ import annotations

import random

from config.logging import get_logger
from game import rooms
from game import webhooks as rules
from game.errors import NotFound
from handlers.base import World
from handlers.telling import DeliverLane
from handlers.webhooks import WebhookDisabled
from jobs.base import COMMUNICATION, JobContext, task
from state.deliveries import Attempt, Delivery, Hold, Status
from state.webhooks import Webhook

TURN_MS = 30_000  # of one lane, before others have their turn
FULL_MS = 250  # until a lane is looked at again whose endpoint had enough to do

log = get_logger(__name__)


@task(DeliverLane, profile=COMMUNICATION, timeout=120, concurrency=32)
async def deliver(job: DeliverLane, ctx: JobContext) -> None:
    """Send what waits in a lane; that another works on it, or that it is to rest, is no failure."""
    world, outbound = ctx.world, ctx.world.outbound
    hold = await outbound.deliveries.claim(job.lane)
    if hold is None:
        return
    try:
        webhook = await outbound.webhooks.get(hold.webhook)
    except NotFound:
        await outbound.deliveries.drop(hold)
        return
    if not webhook.active:
        await _pause(world, webhook)
        return
    with world.ways.webhooks.slot(webhook.id) as free:
        again_at = await _work(world, hold, webhook) if free else world.now() + FULL_MS
    if again_at is not None:
        await outbound.deliveries.release(hold, again_at)
        pause = max(0, again_at - world.now()) / 1000
        await world.jobs.enqueue(job, delay=pause)


async def _pause(world: World, webhook: Webhook) -> None:
    """Work on none of its lanes, unless it was enabled at this moment."""
    await world.outbound.deliveries.pause(webhook.id)
    if (await world.outbound.webhooks.get(webhook.id)).active:
        await world.outbound.deliveries.go_on(webhook.id)


async def _work(world: World, hold: Hold, webhook: Webhook) -> int | None:
    """Send one after another; when the lane is to be looked at again (ms), None if it is done."""
    if rests_until := await world.outbound.webhooks.may_try(webhook):
        return rests_until
    until = world.now() + TURN_MS
    while world.now() < until:
        waiting = await world.outbound.deliveries.first(hold)
        if waiting is None:
            if await world.outbound.deliveries.release(hold):
                return None
            continue
        again_at = await _send(world, hold, webhook, *waiting)
        if again_at is not None:
            return again_at
    return world.now()


async def _send(
    world: World, hold: Hold, webhook: Webhook, delivery: Delivery, body: bytes
) -> int | None:
    """One attempt; None if the next may follow at once."""
    at = world.now()
    headers = rules.headers(webhook.secrets, delivery.event, at, body)
    reply = await world.ways.webhooks.post(webhook.url, body, headers)
    attempt = Attempt(at, reply.status, reply.error, reply.text, reply.ms)
    verdict = rules.judge(reply.status)
    if verdict != "delivered":
        return await _refused(world, hold, delivery, attempt)
    noted = await world.outbound.deliveries.note(hold, delivery, attempt, "delivered")
    await world.outbound.webhooks.answered(webhook)
    return None if noted else at


async def _refused(world: World, hold: Hold, delivery: Delivery, attempt: Attempt) -> int:
    """An attempt failed: when the next one is (ms), of this event or of the one behind it."""
    try:
        webhook = await world.outbound.webhooks.failed(hold.webhook)
    except NotFound:
        return attempt.at
    table = world.settings.webhooks.retry_seconds
    jitter = random.random()  # noqa: S311 - spreads load, guards nothing
    seconds = rules.pause(delivery.tries + 1, table, jitter)
    status: Status = "failed" if seconds is None else "pending"
    await world.outbound.deliveries.note(hold, delivery, attempt, status)
    if reason := await _useless(world, webhook, attempt):
        await _disable(world, webhook, reason)
    return max(world.now() + int((seconds or 0) * 1000), webhook.rests_until)


async def _useless(world: World, webhook: Webhook, attempt: Attempt) -> str:
    """Why nothing more is to be sent there, empty if it is."""
    if rules.judge(attempt.status) == "gone":
        return "it answered 410 Gone"
    since = attempt.at if webhook.failing_since is None else webhook.failing_since
    if attempt.at - since >= world.settings.webhooks.disable_seconds * 1000:
        return "it has failed for too long"
    if await world.outbound.deliveries.overflows(webhook.id):
        return "too many events wait for it"
    return ""


async def _disable(world: World, webhook: Webhook, reason: str) -> None:
    """Send nothing more, and tell those who can do something about it."""
    if not await world.outbound.webhooks.disable(webhook.id, reason):
        return
    log.error("webhook_disabled", webhook=webhook.id, reason=reason)
    world.ways.disabled()
    news = WebhookDisabled(webhook_id=webhook.id, url=webhook.url, reason=reason)
    await world.publisher.emit("webhook:disabled", news, rooms.admins())
