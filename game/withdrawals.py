"""Coins on their way to an outside ledger, and how its word is believed.

A withdrawal is `held` (its coins are in escrow), `submitted` when the outside ledger has taken
it, then `confirmed` (the coins have left) or `failed` (the player has them again). Only the
outside ledger's own word ends it: what it did not say is not known. Each step is taken once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

WithdrawalStatus: TypeAlias = Literal["held", "submitted", "confirmed", "failed"]
Says: TypeAlias = Literal["pending", "confirmed", "failed"]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Coins for an address out there; `by` is the account, `polls` how often it was pending.

    `reference` is the outside ledger's own, `reason` why it failed; times in ms.
    """

    id: str
    player_id: str
    by: str
    address: str
    amount: int
    created_at: int
    status: WithdrawalStatus = "held"
    polls: int = 0
    reference: str | None = None
    reason: str | None = None
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the outside ledger says of a withdrawal; `failed` is for good."""

    says: Says
    reference: str | None = None
    reason: str | None = None


def hear(one: Withdrawal, verdict: Verdict, seen: int, at: int) -> Withdrawal:
    """The withdrawal as the verdict makes it; the same if it is over.

    Args:
        seen: its `polls` when it was asked about. Of two who hear that it is pending, the
            second changes nothing: only the first asks again.
    """
    if one.ended_at is not None:
        return one
    if verdict.says == "pending":
        if one.polls != seen:
            return one
        reference = verdict.reference or one.reference
        return replace(one, status="submitted", polls=one.polls + 1, reference=reference)
    return replace(
        one,
        status=verdict.says,
        reference=verdict.reference or one.reference,
        reason=verdict.reason,
        ended_at=at,
    )


def pause(tries: int, first: float, most: float) -> float:
    """Seconds before it is tried or asked about again: each time twice as long."""
    return float(min(most, first * 2.0 ** min(tries, 32)))
