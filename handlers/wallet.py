"""Wallets: what a player has, what happened to it, and giving to others."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from game import economy as rules
from handlers.base import Context
from handlers.payloads import Amount, Id, Key, Nothing, Payload
from handlers.registry import command
from state.ledger import Books, Posting

NOTE_CHARS = 140
PAGE = 50
CURSOR = r"^[0-9a-f]{28}$"


class PageOfLedger(Payload):
    """The newest entries, or those before the cursor that a page ended with."""

    before: Annotated[str, StringConstraints(pattern=CURSOR)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = PAGE


class Transfer(Payload):
    """Coins for another player; the same key sends once, however often it is sent."""

    to: Id
    amount: Amount
    key: Key
    note: Annotated[str, StringConstraints(max_length=NOTE_CHARS)] = ""


class BalanceReply(TypedDict):
    """What the caller has."""

    balance: int


class EntryView(TypedDict):
    """One change of a wallet: what it gained (or lost) and had then; `at` in ms.

    `reason` and `ref` tell what for: a transfer's `ref` is its note.
    `players` are the others of it.
    """

    id: str
    at: int
    amount: int
    balance: int
    reason: str
    ref: str
    players: list[str]


class LedgerReply(TypedDict):
    """What the caller has, and entries, the newest first; null as the cursor at their end.

    `names` are those of the players in them, as far as they are still there.
    """

    balance: int
    entries: list[EntryView]
    next_before: str | None
    names: dict[str, str]


class TransferReply(TypedDict):
    """The sender's new balance, what went to the other, and what it cost on top."""

    balance: int
    to: str
    amount: int
    fee: int


@command("wallet:get", Nothing)
async def get(_: Nothing, ctx: Context) -> BalanceReply:
    """What the caller has."""
    return BalanceReply(balance=await ctx.world.economy.ledger.balance(ctx.player_id))


@command("wallet:ledger", PageOfLedger)
async def ledger(cmd: PageOfLedger, ctx: Context) -> LedgerReply:
    """What happened to the caller's wallet."""
    page = await ctx.world.economy.ledger.page(ctx.player_id, cmd.before, cmd.limit)
    entries = [_entry(posting, ctx.player_id) for posting in page.postings]
    others = {player for entry in entries for player in entry["players"]}
    names = await ctx.world.accounts.names(sorted(others))
    balance = await ctx.world.economy.ledger.balance(ctx.player_id)
    return LedgerReply(balance=balance, entries=entries, next_before=page.next_before, names=names)


@command("wallet:transfer", Transfer)
async def transfer(cmd: Transfer, ctx: Context) -> TransferReply:
    """Give coins to another player.

    Raises:
        NotFound: there is no such player.
        ValidationFailed: it is the caller himself.
        InsufficientFunds: the caller has less than the amount and its fee.
        Conflict: it is more than may be sent in a day.
        IdempotencyMismatch: the key was used for something else.
    """
    rules.check_transfer(ctx.player_id, cmd.to)
    await ctx.world.accounts.player(cmd.to)
    fee = rules.fee(cmd.amount, ctx.world.settings.economy.transfer_fee_permille)

    async def work(books: Books) -> TransferReply:
        return await _send(books, ctx, cmd, fee)

    body = ["wallet:transfer", cmd.to, cmd.amount, cmd.note]
    done = await ctx.world.economy.ledger.once(ctx.player_id, cmd.key, body, work)
    await ctx.world.react(done.postings)
    answer: TransferReply = done.answer
    return answer


async def _send(books: Books, ctx: Context, cmd: Transfer, fee: int) -> TransferReply:
    economy = ctx.world.settings.economy
    at = ctx.now()
    movement = rules.transfer(ctx.player_id, cmd.to, cmd.amount, fee, cmd.note)
    balance = (await books.post(movement, at)).balance(rules.player(ctx.player_id))
    # Second: who has too little is told so, and not the limit that he is far from.
    await books.count_sent(ctx.player_id, cmd.amount, economy.transfer_daily, at)
    return TransferReply(balance=balance, to=cmd.to, amount=cmd.amount, fee=fee)


def _entry(posting: Posting, player_id: str) -> EntryView:
    mine = rules.player(player_id)
    own = next(change for change in posting.changes if change.account == mine)
    others = [rules.owner(change.account) for change in posting.changes if change is not own]
    return EntryView(
        id=posting.id,
        at=posting.at,
        amount=own.amount,
        balance=posting.balance(mine),
        reason=posting.reason,
        ref=posting.ref,
        players=[other for other in others if other],
    )
