"""Robbery: the odds, what it brings, and who is safe.

Chance comes in as two rolls of 0 to 9,999, both drawn evenly by the caller. Times are
integer milliseconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

from game.economy import PERMILLE
from game.errors import Conflict, FieldProblem, InsufficientFunds, RateLimited, ValidationFailed

SIDES = 10_000  # of the die
PERCENT = SIDES // 100


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers of a robbery (config.settings.Rob)."""

    odds_percent: int
    most_odds_percent: int
    least_loot_permille: int
    most_loot_permille: int
    fine_permille: int
    least_balance: int
    cooldown_ms: int
    shield_ms: int


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: what he has, when he last tried, and until when he is safe."""

    balance: int
    tried_at: int | None = None
    safe_until: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a robbery came to: `amount` went to the robber, or from him if it failed."""

    success: bool
    amount: int
    odds_percent: int


def check_victim(robber_id: str, victim_id: str) -> None:
    """Let robberies of others pass.

    Raises:
        ValidationFailed: it is the robber himself.
    """
    if robber_id == victim_id:
        message = "You cannot rob yourself."
        problem = FieldProblem(field="victim_id", message=message, type="not_self")
        raise ValidationFailed(message, errors=[problem])


def odds(rules: Rules, luck_percent: int) -> int:
    """The chance of success in percent, with what luck adds to it."""
    return min(rules.odds_percent + luck_percent, rules.most_odds_percent)


def attempt(
    robber: Side, victim: Side, luck_percent: int, rolls: tuple[int, int], at: int, rules: Rules
) -> Outcome:
    """Rob somebody: the first roll says whether it succeeds, the second how much it brings.

    Raises:
        RateLimited: the robber must wait.
        InsufficientFunds: the robber could not pay the fine.
        Conflict: the victim is safe for now, or has too little.
    """
    _check(robber, victim, at, rules)
    chance = odds(rules, luck_percent)
    success = rolls[0] < chance * PERCENT
    if not success:
        return Outcome(False, robber.balance * rules.fine_permille // PERMILLE, chance)
    return Outcome(True, _loot(victim.balance, rolls[1], rules), chance)


def _check(robber: Side, victim: Side, at: int, rules: Rules) -> None:
    wait = 0 if robber.tried_at is None else robber.tried_at + rules.cooldown_ms - at
    if wait > 0:
        raise RateLimited("You robbed somebody not long ago.", retry_after=wait / 1000)
    if robber.balance < rules.least_balance:
        raise InsufficientFunds(f"A robber needs {rules.least_balance} coins for the fine.")
    if victim.safe_until > at:
        raise Conflict("That player is safe for now.")
    if victim.balance < rules.least_balance:
        raise Conflict("That player has too little.")


def _loot(balance: int, roll: int, rules: Rules) -> int:
    span = rules.most_loot_permille - rules.least_loot_permille
    permille = rules.least_loot_permille + (span + 1) * roll // SIDES
    return balance * permille // PERMILLE
