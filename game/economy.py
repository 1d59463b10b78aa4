"""Money: integers that move between accounts, and never come or go.

A movement is a set of entries that sum to zero. Players' and escrow accounts are never
below zero. The house, the mint and the burn are the operator's own: what they are below
zero is what they gave away (minus the mint's balance is all the money there is or was).
They take part in nearly every movement, and nobody waits for them: they have no balance
that is kept, only the sum of their entries.

Amounts and balances are signed 64-bit, since that is what the store keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from game.errors import Conflict, FieldProblem, InsufficientFunds, ValidationFailed

INT64_MAX = 2**63 - 1
DAY_MS = 86_400_000
PERMILLE = 1_000

HOUSE, MINT, BURN = SYSTEMS = ("house", "mint", "burn")
Reason: TypeAlias = Literal[
    "start",
    "transfer",
    "shop_buy",
    "shop_sell",
    "rob",
    "blackjack_bet",
    "blackjack_end",
    "blackjack_refund",
    "purchase",
    "refund",
    "stake",
    "stake_paid",
    "stake_returned",
    "closed",
    "grant",
    "withdrawal",
    "withdrawn",
    "withdrawal_returned",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one account gains, or loses if it is negative."""

    account: str
    amount: int


@dataclass(frozen=True, slots=True)
class Movement:
    """Why money moves, and from whom to whom; `ref` is what it was for, an id or empty."""

    reason: Reason
    ref: str
    entries: tuple[Entry, ...]


def player(player_id: str) -> str:
    """The account of a player's wallet."""
    return f"player:{player_id}"


def escrow(what: str, id: str) -> str:
    """The account of what is held for one duel or game, gone when that ends."""
    return f"escrow:{what}:{id}"


def kind(account: str) -> str:
    """`player`, `escrow`, `house`, `mint` or `burn`."""
    return account.partition(":")[0]


def owner(account: str) -> str | None:
    """The player whose wallet it is; None for the others."""
    return account.removeprefix("player:") if kind(account) == "player" else None


def is_system(account: str) -> bool:
    """Whether the account is the operator's, which may be below zero and keeps no balance."""
    return account in SYSTEMS


def movement(reason: Reason, ref: str, entries: Iterable[tuple[str, int]]) -> Movement:
    """A movement, its entries summed up by account and those of zero left out.

    Raises:
        Conflict: the entries do not sum to zero, none is left, or one is not 64-bit;
            all three are bugs of the caller, and stop before anything is written.
    """
    sums: dict[str, int] = {}
    for account, amount in entries:
        sums[account] = checked(sums.get(account, 0) + amount)
    made = tuple(Entry(account, amount) for account, amount in sums.items() if amount)
    if not made or sum(entry.amount for entry in made) != 0:
        raise Conflict("The two sides of the movement are not the same.")
    return Movement(reason, ref, made)


def balance_after(balance: int, amount: int) -> int:
    """The balance that an entry leaves in an account of a player's or in escrow.

    Raises:
        InsufficientFunds: it would be below zero.
        Conflict: it would not be 64-bit.
    """
    after = checked(balance + amount)
    if after < 0 and amount < 0:
        raise InsufficientFunds
    return after


def checked(amount: int) -> int:
    """The same amount, if it is one.

    Raises:
        Conflict: it is more than 64 bits hold.
    """
    if not -INT64_MAX <= amount <= INT64_MAX:
        raise Conflict("The amount is larger than an account can hold.")
    return amount


def transfer(sender_id: str, receiver_id: str, amount: int, cost: int, note: str) -> Movement:
    """Coins from one player to another; what it costs on top is burnt."""
    entries = [(player(sender_id), -amount - cost), (player(receiver_id), amount), (BURN, cost)]
    return movement("transfer", note, entries)


def fee(amount: int, permille: int) -> int:
    """What a transfer costs its sender on top, rounded up, so that no amount goes free."""
    return -(-amount * permille // PERMILLE)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a player sent to others on one UTC day, numbered from the epoch."""

    day: int = 0
    amount: int = 0


def send(sent: Sent, amount: int, limit: int, at: int) -> Sent:
    """Count a transfer against the limit of its day.

    Raises:
        Conflict: the day's limit would be passed.
    """
    day = at // DAY_MS
    today = sent.amount if sent.day == day else 0
    if today + amount > limit:
        raise Conflict(f"At most {limit} coins a day can be sent; {limit - today} are left today.")
    return Sent(day, today + amount)


def check_transfer(sender_id: str, receiver_id: str) -> None:
    """Let transfers between two players pass.

    Raises:
        ValidationFailed: both are the same.
    """
    if sender_id == receiver_id:
        message = "You cannot send coins to yourself."
        problem = FieldProblem(field="to", message=message, type="not_self")
        raise ValidationFailed(message, errors=[problem])
