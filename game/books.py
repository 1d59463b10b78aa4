"""What must be true of the books: the checks of the audit that need nothing but the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from game import economy

Kind: TypeAlias = Literal[
    "unbalanced_posting",
    "doubled_posting",
    "balance_mismatch",
    "negative_balance",
    "orphaned_escrow",
    "missing_escrow",
    "orphaned_item",
    "order_mismatch",
    "batch_mismatch",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be; `subject` is the id of a posting, an account, …."""

    kind: Kind
    subject: str
    expected: int | None = None
    found: int | None = None


@dataclass(slots=True)
class Sums:
    """What the postings, seen one after another in the order of their ids, come to.

    It holds an entry for each account, each kind of item of a player, each order of coins
    for money and each batch of transfers, none for a posting.
    """

    postings: int = 0
    balances: dict[str, int] = field(default_factory=dict)
    bought: dict[str, int] = field(default_factory=dict)
    ordered: dict[str, int] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)
    grants: set[str] = field(default_factory=set)
    """The batches among them that the house paid."""
    _at: int = -1
    _same_time: set[str] = field(default_factory=set)

    def add(self, posting: Mapping[str, Any]) -> Finding | None:
        """Count a posting, unless it is wrong in itself; then that is the finding.

        One that does not balance counts too: its accounts were changed by it.
        """
        self.postings += 1
        if self._doubled(posting):
            return Finding("doubled_posting", posting["_id"])
        entries = posting["entries"]
        for entry in entries:
            account = entry["account"]
            total = self.balances.get(account, 0) + entry["amount"]
            self.balances[account] = total
            if not total:  # closed escrow accounts are most of all that ever were
                del self.balances[account]
        self._count_items(posting)
        if coins := order_coins(posting):
            self.ordered[posting["ref"]] = self.ordered.get(posting["ref"], 0) + coins
        if payment := batch_payment(posting):
            count_payment(self.batches, payment)
            if posting["reason"] == "grant":
                self.grants.add(payment.batch)
        return None if _balanced(posting) else Finding("unbalanced_posting", posting["_id"])

    def _doubled(self, posting: Mapping[str, Any]) -> bool:
        """Of two that are alike to the balances that they left, one never happened."""
        if posting["at"] != self._at:
            self._at = posting["at"]
            self._same_time.clear()
        face = repr((posting["reason"], posting["ref"], posting["entries"]))
        doubled = face in self._same_time
        self._same_time.add(face)
        return doubled

    def _count_items(self, posting: Mapping[str, Any]) -> None:
        bought = purchase(posting)
        if bought:
            owned, count = bought
            self.bought[owned] = self.bought.get(owned, 0) + count


def purchase(posting: Mapping[str, Any]) -> tuple[str, int] | None:
    """Whose inventory (`<player>/<item>`) a posting filled, and with how many."""
    if posting["reason"] != "shop_buy":
        return None
    players = [economy.owner(account) for account in posting["accounts"]]
    item, _, count = posting["ref"].partition("*")
    return f"{next(filter(None, players))}/{item}", int(count)


def order_coins(posting: Mapping[str, Any]) -> int:
    """What a posting gave for an order (`ref`), or took back; 0 if it is about none."""
    if posting["reason"] not in {"purchase", "refund"}:
        return 0
    return sum(int(one["amount"]) for one in posting["entries"] if economy.owner(one["account"]))


def order_is_right(order: Mapping[str, Any], coins: int) -> bool:
    """Whether an order has the coins of its status.

    One that was refunded had them only if it was granted before, which `taken` need not show:
    the player may have spent them all.
    """
    given = int(order["pack"]["coins"])
    match order["status"]:
        case "granted":
            return coins == given
        case "refunded":
            return coins == given - order["taken"] or (coins == 0 and not order["taken"])
    return coins == 0


@dataclass(frozen=True, slots=True)
class Payment:
    """What an item of a batch (`<batch>/<index>`) was paid: by which posting, to whom, what."""

    item: str
    posting: str
    to: str
    amount: int

    @property
    def batch(self) -> str:
        """Its batch's id."""
        return self.item.partition("/")[0]


def count_payment(batches: dict[str, int], payment: Payment) -> None:
    """Add to the sums of batches: they are equal, but by a chance of 1 in 2**60, where the
    payments are, whatever their order.
    """
    batches[payment.batch] = batches.get(payment.batch, 0) + hash(payment)


def batch_payment(posting: Mapping[str, Any]) -> Payment | None:
    """The payment that a posting was, if it was one of a batch."""
    kind, _, item = posting.get("once", "").partition(":")
    if kind != "batch":
        return None
    for entry in posting["entries"]:
        player = economy.owner(entry["account"])
        if player and entry["amount"] > 0:
            return Payment(item, posting["_id"], player, entry["amount"])
    return Payment(item, posting["_id"], "", 0)  # whatever it was, nobody had it


def item_payment(item: Mapping[str, Any]) -> Payment | None:
    """The payment that an item of a batch says to have had."""
    if item["status"] != "paid":
        return None
    return Payment(item["_id"], item.get("entry_id", ""), item["to"], item["amount"])


def _balanced(posting: Mapping[str, Any]) -> bool:
    entries: Sequence[Mapping[str, Any]] = posting["entries"]
    amounts = [entry["amount"] for entry in entries]
    accounts = [entry["account"] for entry in entries]
    limit = economy.INT64_MAX
    return (
        len(entries) >= 2
        and sum(amounts) == 0
        and accounts == list(posting["accounts"])
        and all(isinstance(one, int) and -limit <= one <= limit for one in amounts)
    )
