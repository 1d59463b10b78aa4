"""Withdrawals: coins for an outside ledger."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from game import rooms
from game.errors import NotFound
from game.withdrawals import Withdrawal, WithdrawalStatus
from handlers.base import OPERATORS, Amount, Context, Id, Key, Payload, TaskPayload, World
from handlers.registry import command, periodic, route

LEFT_SECONDS = 5.0

Address = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
"""Of the outside ledger; it knows what is one."""


class Settle(TaskPayload):
    """Bring a withdrawal one step on."""

    task: ClassVar[str] = "withdrawals.settle"
    withdrawal_id: Id


class Withdraw(Payload):
    """Coins for an address out there; the same key withdraws once, however often it is sent."""

    amount: Amount
    address: Address
    key: Key


class OneWithdrawal(Payload):
    """Which."""

    withdrawal_id: Id


class ListWithdrawals(Payload):
    """A page of those in a state."""

    status: WithdrawalStatus = "submitted"
    before: Id | None = None
    limit: int = Field(default=50, ge=1, le=100)


class WithdrawalView(TypedDict):
    """A withdrawal: its coins are held until it is `confirmed` or, given back, `failed`.

    `reference` is the outside ledger's, `reason` why it failed.
    """

    id: str
    player_id: str
    address: str
    amount: int
    status: WithdrawalStatus
    reference: str | None
    reason: str | None
    created_at: int
    ended_at: int | None


class WithdrawalState(TypedDict):
    """One withdrawal."""

    withdrawal: WithdrawalView


class WithdrawalsReply(TypedDict):
    """A page, the newest first; `next_before` is null on the last one."""

    withdrawals: list[WithdrawalView]
    next_before: str | None


@command("wallet:withdraw", Withdraw)
async def withdraw(cmd: Withdraw, ctx: Context) -> WithdrawalState:
    """Send coins to an outside ledger: they are held now, and settled later.

    Raises:
        NotFound: no ledger takes coins of this server.
        InsufficientFunds: the caller has less.
        Conflict: it is more than may be sent in a day, or too many are open.
        IdempotencyMismatch: the key was used for something else.
        StaleVersion: others were faster every time.
    """
    world = ctx.world
    if world.settlement is None:
        raise NotFound("No ledger takes coins of this server.")
    done = await world.economy.withdrawals.create(
        ctx.player_id, ctx.caller.account_id, cmd.address, cmd.amount, cmd.key
    )
    await world.react(done.postings)
    one = await world.economy.withdrawals.get(done.answer)
    if one.ended_at is None:
        await order(world, one)
    return WithdrawalState(withdrawal=_view(one))


@route("GET", "/withdrawals/{withdrawal_id}", OneWithdrawal)
async def get(cmd: OneWithdrawal, ctx: Context) -> WithdrawalState:
    """A withdrawal of the caller's account as it stands; operators see all.

    Raises:
        NotFound: he has no such withdrawal.
        DependencyUnavailable: MongoDB does not answer.
    """
    one = await ctx.world.economy.withdrawals.get(cmd.withdrawal_id)
    if one.by != ctx.caller.account_id and ctx.caller.role not in OPERATORS:
        raise NotFound("There is no such withdrawal.")
    return WithdrawalState(withdrawal=_view(one))


@route("GET", "/withdrawals", ListWithdrawals, roles=OPERATORS)
async def find(cmd: ListWithdrawals, ctx: Context) -> WithdrawalsReply:
    """Withdrawals in a state, such as those whose coins are held.

    Raises:
        DependencyUnavailable: MongoDB does not answer.
    """
    found = await ctx.world.economy.withdrawals.find(cmd.status, cmd.before, cmd.limit + 1)
    shown = found[: cmd.limit]
    more = shown[-1].id if len(found) > cmd.limit else None
    return WithdrawalsReply(withdrawals=[_view(one) for one in shown], next_before=more)


@periodic("withdrawals left behind", lambda _: LEFT_SECONDS)
async def order_left(world: World) -> None:
    """Order the job of withdrawals whose process died before it could."""
    for one in await world.economy.withdrawals.left():
        await order(world, one)
        await world.economy.withdrawals.look_later(one.id)


async def order(world: World, one: Withdrawal, delay: float = 0) -> None:
    """Order a withdrawal's next step: one job for each time that it was pending."""
    await world.jobs.enqueue(Settle(withdrawal_id=one.id), key=f"{one.id}/{one.polls}", delay=delay)


async def tell(world: World, one: Withdrawal) -> None:
    """Tell its player how a withdrawal stands."""
    news = WithdrawalState(withdrawal=_view(one))
    await world.publisher.emit("withdrawal:changed", news, rooms.player(one.player_id))


def _view(one: Withdrawal) -> WithdrawalView:
    return WithdrawalView(
        id=one.id,
        player_id=one.player_id,
        address=one.address,
        amount=one.amount,
        status=one.status,
        reference=one.reference,
        reason=one.reason,
        created_at=one.created_at,
        ended_at=one.ended_at,
    )
