"""The shop and the inventory: look, buy, use, sell."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from game import shop as rules
from game.shop import BoostKind, Effect, Item
from handlers.base import Context
from handlers.payloads import Id, Key, Nothing, Payload
from handlers.registry import command
from state.ledger import Done

COUNT = 1_000  # of one item in one purchase


class Trade(Payload):
    """So many of an item; the same key trades once, however often it is sent."""

    item: Id
    count: Annotated[int, Field(ge=1, le=COUNT)] = 1
    key: Key


class Use(Payload):
    """One of an item; the same key uses one, however often it is sent."""

    item: Id
    key: Key


class EffectView(TypedDict):
    """What using an item gives for so many seconds."""

    kind: BoostKind
    seconds: int
    percent: int


class ItemView(TypedDict):
    """Something for sale; null is without a bound. `left` is for all, `yours` for the caller."""

    id: str
    name: str
    description: str
    price: int
    resale: int
    left: int | None
    yours: int | None
    closes: int | None
    keeps_seconds: int | None
    effect: EffectView | None


class ShopReply(TypedDict):
    """What is for sale now."""

    items: list[ItemView]


class LotView(TypedDict):
    """Some that expire together, at a time in ms or never."""

    count: int
    expires_at: int | None


class OwnedView(TypedDict):
    """What the caller has of one item."""

    item: str
    count: int
    lots: list[LotView]


class BoostView(TypedDict):
    """What works for the caller until then, in ms."""

    kind: BoostKind
    percent: int
    until: int


class InventoryReply(TypedDict):
    """All that the caller owns, and what works for him."""

    items: list[OwnedView]
    boosts: list[BoostView]


class TradeReply(TypedDict):
    """The caller's balance, what was paid in all, and how many he owns now."""

    balance: int
    price: int
    owned: int


class UseReply(TypedDict):
    """The boost as it is now, and how many of the item are left."""

    kind: BoostKind
    percent: int
    until: int
    owned: int


@command("shop:list", Nothing)
async def list_items(_: Nothing, ctx: Context) -> ShopReply:
    """What is for sale now."""
    shop, at = ctx.world.economy.shop, ctx.now()
    sold = await shop.sold()
    bought = {owned.item: owned.bought for owned in await shop.inventory(ctx.player_id)}
    return ShopReply(
        items=[
            _item(item, sold.get(item.id, 0), bought.get(item.id, 0))
            for item in shop.items.values()
            if rules.for_sale(item, at)
        ]
    )


@command("shop:buy", Trade)
async def buy(cmd: Trade, ctx: Context) -> TradeReply:
    """Buy some of an item.

    Raises:
        NotFound: there is no such item, or it is not for sale now.
        Conflict: there are not so many left, for the caller or at all.
        InsufficientFunds: they cost more than the caller has.
        IdempotencyMismatch: the key was used for something else.
    """
    shop = ctx.world.economy.shop
    answer: TradeReply = await _told(
        ctx, await shop.buy(ctx.player_id, cmd.item, cmd.count, cmd.key)
    )
    return answer


@command("inventory:list", Nothing)
async def inventory(_: Nothing, ctx: Context) -> InventoryReply:
    """What the caller owns, and what works for him."""
    shop = ctx.world.economy.shop
    items = [
        OwnedView(
            item=owned.item,
            count=rules.count(owned.lots),
            lots=[LotView(count=lot.count, expires_at=lot.expires_at) for lot in owned.lots],
        )
        for owned in await shop.inventory(ctx.player_id)
        if owned.lots
    ]
    boosts = [
        BoostView(kind=kind, percent=one.percent, until=one.until)
        for kind, one in (await shop.boosts(ctx.player_id)).items()
    ]
    return InventoryReply(items=items, boosts=boosts)


@command("inventory:use", Use)
async def use(cmd: Use, ctx: Context) -> UseReply:
    """Use one of an item.

    Raises:
        NotFound: there is no such item.
        Conflict: it has no use, the caller has none, or another strength is working.
        IdempotencyMismatch: the key was used for something else.
    """
    shop = ctx.world.economy.shop
    answer: UseReply = await _told(ctx, await shop.use(ctx.player_id, cmd.item, cmd.key))
    return answer


@command("inventory:sell", Trade)
async def sell(cmd: Trade, ctx: Context) -> TradeReply:
    """Give some of an item back to the shop.

    Raises:
        NotFound: there is no such item.
        Conflict: the shop does not take it, or the caller has not so many.
        IdempotencyMismatch: the key was used for something else.
    """
    shop = ctx.world.economy.shop
    answer: TradeReply = await _told(
        ctx, await shop.sell(ctx.player_id, cmd.item, cmd.count, cmd.key)
    )
    return answer


async def _told(ctx: Context, done: Done) -> Any:
    await ctx.world.react(done.postings)
    return done.answer


def _item(item: Item, sold: int, bought: int) -> ItemView:
    return ItemView(
        id=item.id,
        name=item.name,
        description=item.description,
        price=item.price,
        resale=item.price * item.resale_permille // 1_000,
        left=None if item.stock is None else max(0, item.stock - sold),
        yours=None if item.limit is None else max(0, item.limit - bought),
        closes=item.closes,
        keeps_seconds=None if item.keeps_ms is None else item.keeps_ms // 1_000,
        effect=_effect(item.effect) if item.effect else None,
    )


def _effect(effect: Effect) -> EffectView:
    return EffectView(kind=effect.kind, seconds=effect.lasts_ms // 1_000, percent=effect.percent)
