"""Batches of transfers: ordered at once, paid item by item, by whichever process."""

from __future__ import annotations

from typing import Annotated, ClassVar, NotRequired

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from config.logging import get_logger
from game import economy, rooms
from game.errors import Forbidden, NotFound, ValidationFailed
from game.transfers import Batch, BatchStatus, Item, ItemStatus
from handlers.base import ADMINS, OPERATORS, Context, World
from handlers.payloads import Amount, Id, Key, Payload, TaskPayload
from handlers.registry import command, periodic, route

NOTE_CHARS = 140
MOST, MOST_OF_A_SOCKET = 1_000, 100
LEFT_SECONDS = 5.0

log = get_logger(__name__)


class PayBatch(TaskPayload):
    """Pay what is not paid yet of a batch."""

    task: ClassVar[str] = "transfers.pay"
    batch_id: Id


class TransferItem(Payload):
    """Coins for a player."""

    to: Id
    amount: Amount
    note: Annotated[str, StringConstraints(max_length=NOTE_CHARS)] = ""


class SendBatch(Payload):
    """Up to 100 transfers; the same key orders once, however often it is sent."""

    items: list[TransferItem] = Field(min_length=1, max_length=MOST_OF_A_SOCKET)
    key: Key


class OrderBatch(Payload):
    """Up to 1,000 transfers: from a character of the caller's (`character_id`), or, by an
    administrator and with a `reason`, from the house.
    """

    items: list[TransferItem] = Field(min_length=1, max_length=MOST)
    key: Key
    character_id: Id | None = None
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class OneBatch(Payload):
    """Which."""

    batch_id: Id


class BatchItems(Payload):
    """A page of a batch's items, in their order, from the index on that the page before named."""

    batch_id: Id
    from_index: int = Field(default=0, ge=0, lt=MOST)
    limit: int = Field(default=100, ge=1, le=100)


class BatchOrdered(TypedDict):
    """A batch, and where its state can be read."""

    id: str
    status: BatchStatus
    total: int
    url: str


class BatchView(TypedDict):
    """A batch as it stands: how many of its items have which result, and the coins paid."""

    id: str
    status: BatchStatus
    total: int
    paid: int
    refused: int
    cancelled: int
    amount: int
    created_at: int
    ended_at: int | None


class BatchState(TypedDict):
    """One batch."""

    batch: BatchView


class TransferItemView(TypedDict):
    """An item: paid by the ledger entry `entry_id`, or refused with the code of an error."""

    index: int
    to: str
    amount: int
    note: str
    status: ItemStatus
    entry_id: NotRequired[str]
    code: NotRequired[str]


class TransferItemsReply(TypedDict):
    """Items in their order; `next_index` is null on the last page."""

    items: list[TransferItemView]
    next_index: int | None


@command("wallet:batch", SendBatch)
async def send(cmd: SendBatch, ctx: Context) -> BatchOrdered:
    """Give coins to many players: each item is paid or refused by itself, later.

    Raises:
        ValidationFailed: all amounts together are more than there can be.
        Conflict: too many batches of the caller's are not over.
        IdempotencyMismatch: the key was used for something else.
        StaleVersion: others were faster every time.
    """
    return await _order(ctx, cmd.items, cmd.key, ctx.player_id, "")


@command("wallet:batch_cancel", OneBatch)
async def cancel(cmd: OneBatch, ctx: Context) -> BatchState:
    """Stop a batch: what has not begun is cancelled, what is paid stays paid.

    Raises:
        NotFound: the caller has no such batch.
        Conflict: it is over.
        StaleVersion: others were faster every time.
    """
    return await _cancel(cmd, ctx)


@route("POST", "/transfers/batch", OrderBatch, status=202, large=True)
async def order(cmd: OrderBatch, ctx: Context) -> BatchOrdered:
    """Give coins to many players, from a character or, by an administrator, from the house.

    Raises:
        ValidationFailed: not exactly one of `character_id` and `reason`, or all amounts
            together are more than there can be.
        Forbidden: only administrators pay from the house, or the character is another's.
        Conflict: too many batches of the payer's are not over.
        IdempotencyMismatch: the key was used for something else.
        StaleVersion: others were faster every time.
        DependencyUnavailable: a store does not answer; the same key goes on.
    """
    if (cmd.character_id is None) == (cmd.reason is None):
        message = "Either a character or, with a reason, the house pays."
        raise ValidationFailed.of("character_id", message, "payer")
    if cmd.character_id is not None:
        mine = await ctx.world.accounts.characters(ctx.caller.account_id)
        if cmd.character_id not in {one.id for one in mine}:
            raise Forbidden("The character is not yours.")
        return await _order(ctx, cmd.items, cmd.key, cmd.character_id, "")
    if ctx.caller.role not in ADMINS:
        raise Forbidden("Only administrators pay from the house.")
    ordered = await _order(ctx, cmd.items, cmd.key, economy.HOUSE, cmd.reason or "")
    log.info("house_pays", batch=ordered["id"], by=ctx.caller.account_id, reason=cmd.reason)
    return ordered


@route("GET", "/transfers/batch/{batch_id}", OneBatch)
async def get(cmd: OneBatch, ctx: Context) -> BatchState:
    """A batch as it stands.

    Raises:
        NotFound: the caller has no such batch.
        DependencyUnavailable: MongoDB does not answer.
    """
    return BatchState(batch=view(await _find(cmd.batch_id, ctx)))


@route("GET", "/transfers/batch/{batch_id}/items", BatchItems)
async def items(cmd: BatchItems, ctx: Context) -> TransferItemsReply:
    """What became of each item of a batch.

    Raises:
        NotFound: the caller has no such batch.
        DependencyUnavailable: MongoDB does not answer.
    """
    batch = await _find(cmd.batch_id, ctx)
    found = await ctx.world.economy.batches.items(batch.id, cmd.from_index, cmd.limit)
    end = cmd.from_index + len(found)
    more = end if found and end < batch.total else None
    return TransferItemsReply(items=[_item(one) for one in found], next_index=more)


@route("DELETE", "/transfers/batch/{batch_id}", OneBatch, status=202)
async def delete(cmd: OneBatch, ctx: Context) -> BatchState:
    """Stop a batch: what has not begun is cancelled, what is paid stays paid.

    Raises:
        NotFound: the caller has no such batch.
        Conflict: it is over.
        StaleVersion: others were faster every time.
        DependencyUnavailable: MongoDB does not answer.
    """
    return await _cancel(cmd, ctx)


@periodic("batches left behind", lambda _: LEFT_SECONDS)
async def order_left(world: World) -> None:
    """Order the job of batches whose node died before it could."""
    for batch in await world.economy.batches.left():
        await _order_job(world, batch)
        await world.economy.batches.look_later(batch.id)


async def tell(world: World, batch: Batch) -> None:
    """Tell the payer how far a batch has come; of the house's, all administrators."""
    room = rooms.admins() if batch.from_house else rooms.player(batch.payer)
    await world.publisher.emit("wallet:batch_changed", BatchState(batch=view(batch)), room)


async def _order(
    ctx: Context, wanted: list[TransferItem], key: str, payer: str, reason: str
) -> BatchOrdered:
    if sum(one.amount for one in wanted) > economy.INT64_MAX:
        message = "All amounts together are more than there can be."
        raise ValidationFailed.of("items", message, "less_than_equal")
    batches = ctx.world.economy.batches
    new = batches.new(payer, ctx.caller.account_id, reason, len(wanted))
    its = [Item(index, one.to, one.amount, one.note) for index, one in enumerate(wanted)]
    batch = await batches.create(new, its, key)
    await _order_job(ctx.world, batch)
    url = f"/api/v1/transfers/batch/{batch.id}"
    return BatchOrdered(id=batch.id, status=batch.status, total=batch.total, url=url)


async def _cancel(cmd: OneBatch, ctx: Context) -> BatchState:
    batch = await _find(cmd.batch_id, ctx)
    batch = await ctx.world.economy.batches.cancel(batch.id)
    await _order_job(ctx.world, batch)
    await tell(ctx.world, batch)
    return BatchState(batch=view(batch))


async def _order_job(world: World, batch: Batch) -> None:
    """One that pays it; of a cancelled batch another one, since the first may have died."""
    key = batch.id if batch.cancelled_at is None else f"{batch.id}/cancel"
    await world.jobs.enqueue(PayBatch(batch_id=batch.id), key=key)


async def _find(batch_id: str, ctx: Context) -> Batch:
    """A batch of the caller's account; operators see all."""
    batch = await ctx.world.economy.batches.get(batch_id)
    if batch.by != ctx.caller.account_id and ctx.caller.role not in OPERATORS:
        raise NotFound("There is no such batch.")
    return batch


def view(batch: Batch) -> BatchView:
    """A batch for clients."""
    tally = batch.tally
    return BatchView(
        id=batch.id,
        status=batch.status,
        total=batch.total,
        paid=tally.paid,
        refused=tally.refused,
        cancelled=tally.cancelled,
        amount=tally.amount,
        created_at=batch.created_at,
        ended_at=batch.ended_at,
    )


def _item(one: Item) -> TransferItemView:
    shown = TransferItemView(
        index=one.index, to=one.to, amount=one.amount, note=one.note, status=one.status
    )
    if one.entry_id is not None:
        shown["entry_id"] = one.entry_id
    if one.code is not None:
        shown["code"] = one.code
    return shown
