"""Robbery: take from another player, or pay him for having tried."""

from __future__ import annotations

import secrets

from typing_extensions import TypedDict

from game import rob as rules
from handlers.base import Context
from handlers.payloads import Id, Key, Payload
from handlers.registry import command


class Attempt(Payload):
    """Whom to rob; the same key tries once, however often it is sent."""

    victim_id: Id
    key: Key


class AttemptReply(TypedDict):
    """What it came to: `amount` was taken, or paid if it failed.

    `odds` were the chance in percent, `again_at` is when the caller may try again, in ms.
    """

    success: bool
    amount: int
    odds: int
    balance: int
    again_at: int


@command("rob:attempt", Attempt)
async def attempt(cmd: Attempt, ctx: Context) -> AttemptReply:
    """Rob another player.

    Raises:
        NotFound: there is no such player.
        ValidationFailed: it is the caller himself.
        RateLimited: the caller tried not long ago.
        InsufficientFunds: the caller could not pay the fine.
        Conflict: the victim is safe for now, or has too little.
        IdempotencyMismatch: the key was used for something else.
    """
    rules.check_victim(ctx.player_id, cmd.victim_id)
    await ctx.world.accounts.player(cmd.victim_id)
    # Drawn before the transaction, which may run several times: nobody rolls again.
    rolls = secrets.randbelow(rules.SIDES), secrets.randbelow(rules.SIDES)
    robberies = ctx.world.economy.robberies
    done = await robberies.attempt(ctx.player_id, cmd.victim_id, cmd.key, rolls)
    answer: AttemptReply = done.answer
    await ctx.world.react(done.postings)
    return answer
