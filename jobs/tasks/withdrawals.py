"""Withdrawals: given to the outside ledger, and asked about until it says how they ended."""

from __future__ import annotations

from typing_extensions import TypedDict

from game.errors import DependencyUnavailable
from game.withdrawals import Verdict, Withdrawal, WithdrawalStatus, pause
from handlers.withdrawals import Settle, order, tell
from jobs.base import MONEY, GiveUpError, JobContext, RetryLaterError, task


class Settled(TypedDict):
    """How it stands."""

    status: WithdrawalStatus


@task(Settle, profile=MONEY, timeout=60, needs="settlement.url")
async def settle(job: Settle, ctx: JobContext) -> Settled:
    """Submit it, or ask about it; order the next question while it is pending.

    What the outside ledger did not say leaves the coins where they are: in escrow, after the
    last attempt too, until a replay hears more.
    """
    world = ctx.world
    before = await world.economy.withdrawals.get(job.withdrawal_id)
    after = before
    if before.ended_at is None:
        done = await world.economy.withdrawals.heard(before, await _hear(before, ctx))
        after = done.answer
        await world.react(done.postings)
        await _ask_later(before, after, ctx)
    if after.ended_at is not None or after.status != before.status:
        await tell(world, after)
    return Settled(status=after.status)


async def _hear(one: Withdrawal, ctx: JobContext) -> Verdict:
    outside, settings = ctx.world.settlement, ctx.world.settings.settlement
    seconds = pause(ctx.attempt - 1, settings.first_seconds, settings.most_seconds)
    if outside is None:
        raise RetryLaterError("no outside ledger is set", seconds)
    if one.status == "held":
        await ctx.hold()  # whoever took it from us may have left it to somebody to decide
    try:
        verdict = await (outside.submit(one) if one.status == "held" else outside.ask(one))
    except DependencyUnavailable as error:
        raise RetryLaterError(error.detail, seconds) from error
    waited = (ctx.world.now() - one.created_at) / 1000
    if verdict.says == "pending" and one.polls and waited > settings.give_up_seconds:
        raise GiveUpError(f"pending for {waited:.0f} s")
    return verdict


async def _ask_later(before: Withdrawal, after: Withdrawal, ctx: JobContext) -> None:
    """Of two jobs that heard the same, one asks again."""
    if after.ended_at is not None or after.polls == before.polls:
        return
    settings = ctx.world.settings.settlement
    seconds = pause(before.polls, settings.first_seconds, settings.most_seconds)
    await order(ctx.world, after, seconds)
    await ctx.world.economy.withdrawals.look_later(after.id, seconds)
