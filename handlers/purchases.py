"""Purchases: coins for money, through a payment provider."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints
from typing_extensions import TypedDict

from game import events, rooms
from game.errors import NotFound
from game.purchases import Order, Status
from handlers.base import Context, World
from handlers.payloads import Id, Key, Nothing, Payload
from handlers.registry import command, periodic, route
from handlers.telling import happened
from state.ledger import Done

GRANT_SECONDS = 5.0
BODY_CHARS = 65_536


class Buy(Payload):
    """Which pack; the same key orders once, however often it is sent."""

    pack: Id
    key: Key


class WhichOrder(Payload):
    """One order, by its id."""

    order_id: Id


class Signed(Payload):
    """A webhook's body as it came, and the header that signs it."""

    text: Annotated[str, StringConstraints(max_length=BODY_CHARS)]
    signature: str


class PackView(TypedDict):
    """Coins for money; the price is in the currency's smallest unit."""

    id: str
    name: str
    coins: int
    price: int
    currency: str


class PacksReply(TypedDict):
    """What can be bought, and whether money moves."""

    provider: str
    notice: str
    packs: list[PackView]


class OrderView(TypedDict):
    """An order; `url` is where to pay, null when there is nothing to pay any more."""

    id: str
    status: Status
    pack: PackView
    url: str | None
    created_at: int


class OrderReply(TypedDict):
    """An order of the caller's, and whether money moves."""

    order: OrderView
    notice: str


class OrderNews(TypedDict):
    """An order as it stands now."""

    order: OrderView


class Received(TypedDict):
    """The webhook was understood."""

    received: bool


@command("purchase:packs", Nothing)
async def packs(_: Nothing, ctx: Context) -> PacksReply:
    """What can be bought.

    Raises:
        NotFound: this server sells nothing.
    """
    provider = ctx.world.provider
    if provider is None:
        raise NotFound("This server sells nothing.")
    views = [_pack(Order("", "", pack, 0)) for pack in ctx.world.economy.orders.packs.values()]
    return PacksReply(provider=provider.name, notice=provider.notice, packs=views)


@command("purchase:create", Buy)
async def create(cmd: Buy, ctx: Context) -> OrderReply:
    """Order a pack of coins; the answer says where to pay.

    Raises:
        NotFound: there is no such pack, or this server sells nothing.
        DependencyUnavailable: the provider does not answer; the same key goes on.
        IdempotencyMismatch: the key was used for something else.
    """
    provider, orders = ctx.world.provider, ctx.world.economy.orders
    if provider is None:
        raise NotFound("This server sells nothing.")
    order = await orders.create(ctx.player_id, cmd.pack, cmd.key)
    if order.status == "created" and order.url is None:
        checkout = await provider.open(order)
        order = await orders.open(order, checkout.url)
        if checkout.word:  # nothing to wait for
            order = await _heard(ctx.world, await orders.heard(checkout.word))
    return OrderReply(order=_view(order), notice=provider.notice)


@command("purchase:get", WhichOrder)
async def get(cmd: WhichOrder, ctx: Context) -> OrderReply:
    """An order of the caller's as it stands.

    Raises:
        NotFound: he has no such order.
    """
    order = await ctx.world.economy.orders.get(cmd.order_id, ctx.player_id)
    provider = ctx.world.provider
    return OrderReply(order=_view(order), notice=provider.notice if provider else "")


@route("POST", "/purchases/stripe", Signed, signed_in=False, signature="Stripe-Signature")
async def webhook(cmd: Signed, ctx: Context) -> Received:
    """Hear from the payment provider; hearing the same again changes nothing.

    Raises:
        NotFound: no provider speaks here, or it speaks of no order of ours.
        Unauthenticated: it is not signed by the provider, or long ago.
        Conflict: another amount was paid than was asked for.
    """
    provider = ctx.world.provider
    if provider is None:
        raise NotFound
    word = provider.read(cmd.text, cmd.signature, ctx.now())
    if word:
        await _heard(ctx.world, await ctx.world.economy.orders.heard(word))
    return Received(received=True)


@periodic("paid orders", lambda _: GRANT_SECONDS)
async def grant_paid(world: World) -> None:
    """Give out coins that a crash held up."""
    for order_id in await world.economy.orders.paid():
        await _heard(world, await world.economy.orders.grant(order_id))


async def _heard(world: World, done: Done) -> Order:
    order: Order = done.answer
    if order.status == "refunded":  # there may have been no coins left to take
        await happened(world, events.purchase_moved("purchase.refunded", order, world.now()))
    if done.postings:
        await world.react(done.postings)
        news = OrderNews(order=_view(order))
        await world.publisher.emit("purchase:changed", news, rooms.player(order.player_id))
    return order


def _view(order: Order) -> OrderView:
    return OrderView(
        id=order.id,
        status=order.status,
        pack=_pack(order),
        url=order.url if order.status == "created" else None,
        created_at=order.created_at,
    )


def _pack(order: Order) -> PackView:
    pack = order.pack
    return PackView(
        id=pack.id,
        name=pack.name,
        coins=pack.coins,
        price=pack.price,
        currency=pack.currency,
    )
