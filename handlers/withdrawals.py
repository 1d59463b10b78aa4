"""Withdrawals: coins for an outside ledger."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from config.logging import get_logger
from game import rooms
from game.errors import NotFound, ValidationFailed
from game.withdrawals import Verdict, Withdrawal, WithdrawalStatus
from handlers.base import ADMINS, OPERATORS, Context, World
from handlers.payloads import Amount, Id, Key, Payload, TaskPayload
from handlers.registry import command, noted, periodic, route

LEFT_SECONDS = 5.0

log = get_logger(__name__)

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


class Decide(Payload):
    """What became of a withdrawal, as somebody found out: `paid` out there, with the outside
    ledger's `reference`, or not, so that the player has a `refund`. The player reads the reason.
    """

    withdrawal_id: Id
    decision: Literal["paid", "refund"]
    reference: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")] | None = None
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    key: Key


class ListWithdrawals(Payload):
    """A page of those in a state."""

    status: WithdrawalStatus = "submitted"
    before: Id | None = None
    limit: int = Field(default=50, ge=1, le=100)


class WithdrawalView(TypedDict):
    """A withdrawal: its coins are held until it is `confirmed` or, given back, `failed`.

    `reference` is the outside ledger's, `reason` why it failed, or was settled by hand.
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


@noted
@route("POST", "/withdrawals/{withdrawal_id}/settle", Decide, roles=ADMINS)
async def decide(cmd: Decide, ctx: Context) -> WithdrawalState:
    """Settle a withdrawal by hand whose job has died or was taken back; its dead letter is gone
    then. The same key decides once.

    Raises:
        ValidationFailed: `paid` has no reference, or `refund` has one.
        NotFound: there is no such withdrawal.
        Conflict: it is over, or its job still waits or runs.
        IdempotencyMismatch: the key was used for something else.
        StaleVersion: others were faster every time.
        DependencyUnavailable: a store does not answer; the same key goes on.
    """
    if (cmd.decision == "paid") is (cmd.reference is None):
        message = "What was paid has a reference, a refund has none."
        raise ValidationFailed.of("reference", message, "decision")
    world, withdrawals = ctx.world, ctx.world.economy.withdrawals
    before = await withdrawals.get(cmd.withdrawal_id)
    if before.ended_at is None:
        await world.jobs.give_up(Settle.task, _job_key(before))
    verdict = Verdict("confirmed" if cmd.reference else "failed", cmd.reference, cmd.reason)
    done = await withdrawals.decide(before.id, verdict, ctx.caller.account_id, cmd.key)
    await world.react(done.postings)
    after = await withdrawals.get(before.id)
    if done.fresh:
        log.warning("withdrawal_decided", id=after.id, by=ctx.caller.account_id, why=cmd.reason)
        await tell(world, after)
    return WithdrawalState(withdrawal=_view(after))


@periodic("withdrawals left behind", lambda _: LEFT_SECONDS)
async def order_left(world: World) -> None:
    """Order the job of withdrawals whose process died before it could."""
    for one in await world.economy.withdrawals.left():
        await order(world, one)
        await world.economy.withdrawals.look_later(one.id)


async def order(world: World, one: Withdrawal, delay: float = 0) -> None:
    """Order a withdrawal's next step: one job for each time that it was pending."""
    await world.jobs.enqueue(Settle(withdrawal_id=one.id), key=_job_key(one), delay=delay)


async def tell(world: World, one: Withdrawal) -> None:
    """Tell its player how a withdrawal stands."""
    news = WithdrawalState(withdrawal=_view(one))
    await world.publisher.emit("withdrawal:changed", news, rooms.player(one.player_id))


def _job_key(one: Withdrawal) -> str:
    return f"{one.id}/{one.polls}"


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
