"""Webhooks: other servers that are told what happened here, and how they took it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from game import webhooks as rules
from game.errors import Conflict
from game.events import EVENTS
from handlers.base import OPERATORS, Context, World
from handlers.payloads import Id, Nothing, Payload
from handlers.registry import noted, periodic, route
from handlers.telling import DeliverLane
from state.deliveries import Attempt, Delivery, Status
from state.webhooks import EVERYTHING, Webhook, enabled

URL_CHARS = 2_000  # more, and proxies refuse it
PAGE = 50
SWEEP_SECONDS = 1.0
LATE_MS = 2_000  # a lane whose job is that late has none
AGAIN_MS = 30_000

EventType: TypeAlias = Literal[(EVERYTHING, *EVENTS)]  # type: ignore[valid-type]
Url = Annotated[str, StringConstraints(max_length=URL_CHARS)]
Events = Annotated[list[EventType], Field(min_length=1, max_length=len(EVENTS))]
Description = Annotated[str, StringConstraints(max_length=200)]
Cursor = Annotated[str, StringConstraints(max_length=100)]
EventId = Annotated[str, StringConstraints(pattern=r"^evt_[0-9a-f]{24}$")]


class NewWebhook(Payload):
    """Where to, and of which events; `*` is all of them."""

    url: Url
    events: Events
    description: Description = ""


class WhichWebhook(Payload):
    """One of them."""

    id: Id


class ChangedWebhook(WhichWebhook):
    """What is to be another; what is null stays. `active` true begins anew what was disabled."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    active: bool | None = None


class PageOfDeliveries(WhichWebhook):
    """The newest deliveries, or those before the cursor that a page ended with."""

    before: Cursor | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = PAGE


class WhichDelivery(WhichWebhook):
    """One event for one webhook."""

    event_id: EventId


class WebhookView(TypedDict):
    """A webhook and how it does; times in ms.

    `reason` says why it is not active, `failures` counts those in a row.
    """

    id: str
    url: str
    events: list[str]
    description: str
    active: bool
    reason: str
    failures: int
    created_at: int


class WebhookAnswer(TypedDict):
    """One webhook."""

    webhook: WebhookView


class SecretAnswer(TypedDict):
    """A webhook and its secret, which is not shown again."""

    webhook: WebhookView
    secret: str


class WebhooksAnswer(TypedDict):
    """All of them, the oldest first."""

    webhooks: list[WebhookView]


class AttemptView(TypedDict):
    """One request: when (ms), its answer's status code and beginning, or what went wrong."""

    at: int
    code: int | None
    error: str
    answer: str
    ms: int


class DeliveryView(TypedDict):
    """What became of an event, for one webhook; the newest attempts last."""

    event_id: str
    type: str
    at: int
    status: Status
    tries: int
    attempts: list[AttemptView]


class DeliveryAnswer(TypedDict):
    """One delivery."""

    delivery: DeliveryView


class DeliveriesAnswer(TypedDict):
    """Deliveries, the newest first; null as the cursor when there are no more."""

    deliveries: list[DeliveryView]
    next_before: str | None


class WebhookDisabled(TypedDict):
    """Nothing more is sent to a webhook, and why."""

    webhook_id: str
    url: str
    reason: str


@route("GET", "/webhooks", Nothing, roles=OPERATORS)
async def listed(_: Nothing, ctx: Context) -> WebhooksAnswer:
    """All webhooks."""
    return WebhooksAnswer(webhooks=[_view(one) for one in await ctx.world.outbound.webhooks.all()])


@noted
@route("POST", "/webhooks", NewWebhook, status=201, roles=OPERATORS)
async def create(cmd: NewWebhook, ctx: Context) -> SecretAnswer:
    """Tell a server of events from about now on.

    Raises:
        ValidationFailed: the URL is none that webhooks can go to.
        Conflict: there are as many webhooks as there may be.
    """
    url = _checked(cmd.url, ctx)
    made = await ctx.world.outbound.webhooks.create(url, cmd.events, cmd.description)
    return SecretAnswer(webhook=_view(made), secret=made.secrets[0].text)


@route("GET", "/webhooks/{id}", WhichWebhook, roles=OPERATORS)
async def get(cmd: WhichWebhook, ctx: Context) -> WebhookAnswer:
    """One webhook.

    Raises:
        NotFound: there is none.
    """
    return WebhookAnswer(webhook=_view(await ctx.world.outbound.webhooks.get(cmd.id)))


@noted
@route("PATCH", "/webhooks/{id}", ChangedWebhook, roles=OPERATORS)
async def change(cmd: ChangedWebhook, ctx: Context) -> WebhookAnswer:
    """Make something of a webhook another.

    Raises:
        NotFound: there is none.
        ValidationFailed: the URL is none that webhooks can go to.
    """
    if cmd.url is not None:
        _checked(cmd.url, ctx)
    outbound = ctx.world.outbound
    changed = await outbound.webhooks.change(cmd.id, lambda one: _changed(one, cmd))
    if cmd.active is not None:
        follow = outbound.deliveries.go_on if cmd.active else outbound.deliveries.pause
        await follow(cmd.id)
    return WebhookAnswer(webhook=_view(changed))


@noted
@route("DELETE", "/webhooks/{id}", WhichWebhook, status=204, roles=OPERATORS)
async def delete(cmd: WhichWebhook, ctx: Context) -> None:
    """Tell a server nothing more; what waits for it is given up.

    Raises:
        NotFound: there is no such webhook.
    """
    await ctx.world.outbound.webhooks.delete(cmd.id)
    await ctx.world.outbound.deliveries.go_on(cmd.id)  # whoever works on a lane finds it useless


@noted
@route("POST", "/webhooks/{id}/rotate", WhichWebhook, roles=OPERATORS)
async def rotate(cmd: WhichWebhook, ctx: Context) -> SecretAnswer:
    """Give a webhook a new secret; for a while both sign.

    Raises:
        NotFound: there is none.
    """
    rotated = await ctx.world.outbound.webhooks.rotate(cmd.id)
    return SecretAnswer(webhook=_view(rotated), secret=rotated.secrets[0].text)


@route("GET", "/webhooks/{id}/deliveries", PageOfDeliveries, roles=OPERATORS)
async def deliveries(cmd: PageOfDeliveries, ctx: Context) -> DeliveriesAnswer:
    """What a webhook was told, and how it took it.

    Raises:
        NotFound: there is no such webhook.
    """
    await ctx.world.outbound.webhooks.get(cmd.id)
    page = await ctx.world.outbound.deliveries.page(cmd.id, cmd.before, cmd.limit)
    views = [_delivery(one) for one in page.deliveries]
    return DeliveriesAnswer(deliveries=views, next_before=page.next_before)


@noted
@route(
    "POST",
    "/webhooks/{id}/deliveries/{event_id}/replay",
    WhichDelivery,
    status=202,
    roles=OPERATORS,
)
async def replay(cmd: WhichDelivery, ctx: Context) -> DeliveryAnswer:
    """Tell a webhook of an event once more, as if it had just happened.

    Raises:
        NotFound: there is no such webhook, or it was not told of that event.
        Conflict: the event waits to be delivered already, or the webhook is not active.
    """
    webhook = await ctx.world.outbound.webhooks.get(cmd.id)
    if not webhook.active:
        raise Conflict("The webhook is not active.")
    lane, again = await ctx.world.outbound.deliveries.replay(cmd.id, cmd.event_id)
    await ctx.world.jobs.enqueue(DeliverLane(lane=lane))
    return DeliveryAnswer(delivery=_delivery(again))


@periodic("webhook lanes", lambda _: SWEEP_SECONDS)
async def sweep(world: World) -> None:
    """Order jobs for lanes that nobody came to: their job was lost, or never ordered."""
    for lane, due_at in await world.outbound.deliveries.due(LATE_MS):
        # The same job all the while, but another one when it has failed for good.
        key = f"{lane} {due_at} {world.now() // AGAIN_MS}"
        await world.jobs.enqueue(DeliverLane(lane=lane), key=key)


def _checked(url: str, ctx: Context) -> str:
    return rules.check_url(url, private=ctx.world.settings.webhooks.private)


def _changed(one: Webhook, cmd: ChangedWebhook) -> Webhook:
    changed = replace(
        one,
        url=one.url if cmd.url is None else cmd.url,
        events=one.events if cmd.events is None else tuple(cmd.events),
        description=one.description if cmd.description is None else cmd.description,
    )
    if cmd.active is None:
        return changed
    return enabled(changed) if cmd.active else replace(changed, active=False, reason="by hand")


def _view(one: Webhook) -> WebhookView:
    return WebhookView(
        id=one.id,
        url=one.url,
        events=list(one.events),
        description=one.description,
        active=one.active,
        reason=one.reason,
        failures=one.failures,
        created_at=one.created_at,
    )


def _delivery(one: Delivery) -> DeliveryView:
    return DeliveryView(
        event_id=one.event,
        type=one.type,
        at=one.at,
        status=one.status,
        tries=one.tries,
        attempts=[_attempt(attempt) for attempt in one.log],
    )


def _attempt(one: Attempt) -> AttemptView:
    return AttemptView(at=one.at, code=one.status, error=one.error, answer=one.answer, ms=one.ms)
