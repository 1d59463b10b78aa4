"""Batches of transfers: many coins' ways, each with a result of its own.

A batch is `running` until each of its items is paid, refused or cancelled; then it is `done`,
or `cancelled` if one of them is. In between it is `cancelling` when somebody wished its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from game import economy
from game.economy import Movement

BatchStatus: TypeAlias = Literal["running", "cancelling", "done", "cancelled"]
ItemStatus: TypeAlias = Literal["waiting", "paid", "refused", "cancelled"]


@dataclass(frozen=True, slots=True)
class Item:
    """One transfer of a batch: `entry_id` is its ledger entry's, `code` that of its refusal."""

    index: int
    to: str
    amount: int
    note: str
    status: ItemStatus = "waiting"
    entry_id: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many items of a batch have which result; `amount` is the sum of what was paid."""

    paid: int = 0
    refused: int = 0
    cancelled: int = 0
    amount: int = 0

    @property
    def ended(self) -> int:
        """How many have a result."""
        return self.paid + self.refused + self.cancelled


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: who pays (a player or the house), and the account that ordered it; times in ms."""

    id: str
    payer: str
    by: str
    reason: str
    total: int
    created_at: int
    tally: Tally = Tally()
    cancelled_at: int | None = None
    ended_at: int | None = None

    @property
    def from_house(self) -> bool:
        """Whether no player pays."""
        return self.payer == economy.HOUSE

    @property
    def status(self) -> BatchStatus:
        """Where it is in its life."""
        if self.ended_at is not None:
            return "cancelled" if self.tally.cancelled else "done"
        return "running" if self.cancelled_at is None else "cancelling"


def tally(items: Iterable[Item]) -> Tally:
    """Count results."""
    counts = {"waiting": 0, "paid": 0, "refused": 0, "cancelled": 0}
    amount = 0
    for item in items:
        counts[item.status] += 1
        amount += item.amount if item.status == "paid" else 0
    return Tally(counts["paid"], counts["refused"], counts["cancelled"], amount)


def grant(to: str, amount: int, note: str) -> Movement:
    """Coins from the house."""
    entries = [(economy.HOUSE, -amount), (economy.player(to), amount)]
    return economy.movement("grant", note, entries)
