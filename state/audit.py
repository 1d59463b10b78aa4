"""The audit: reads all of the books while they are written to, and finds what is wrong.

It reads the postings once, then what must agree with them. Where the two differ, that may
be a movement in between: each difference is looked at again in a transaction, which sees one
moment of all collections, and only what differs there as well is a finding. (One transaction
over everything would be simpler, but a store ends it after a minute.) Nothing is repaired.

Memory is bounded by the number of accounts, owned items, orders and batches, not by the postings.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from pymongo.errors import DuplicateKeyError

from game import economy
from game.books import (
    Finding,
    Payment,
    Sums,
    batch_payment,
    count_payment,
    item_payment,
    order_coins,
    order_is_right,
    purchase,
)
from state.batches import MOST_ITEMS, item_ids
from state.documents import Document, DocumentStore, Transaction

SHOWN = 1_000  # findings in a report; all are counted
BY_ID = [("_id", 1)]

Check = Callable[[Transaction], Awaitable[Finding | None]]


@dataclass(slots=True)
class Report:
    """What an audit saw; `minted` is all the money there is."""

    seconds: float = 0.0
    postings: int = 0
    accounts: int = 0
    items: int = 0
    minted: int = 0
    total: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.total == 0

    def add(self, finding: Finding | None) -> None:
        """Note a finding, if it is one."""
        if finding is None or finding in self.findings:
            return
        self.total += 1
        if len(self.findings) < SHOWN:
            self.findings.append(finding)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"ok": self.ok, **asdict(self)}


class Audit:
    """One look at all books."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents
        self._report = Report()
        self._sums = Sums()

    async def run(self) -> Report:
        """Do it.

        Raises:
            DependencyUnavailable: MongoDB did not answer.
        """
        started = time.monotonic()
        async for posting in self._documents.each("postings", {}, sort=BY_ID):
            self._report.add(self._sums.add(posting))
        await self._check_wallets()
        await self._check_held("blackjack", {"due_at": {"$exists": True}})
        await self._check_held("stakes", {"check_at": {"$exists": True}})
        await self._check_held("withdrawals", {"check_at": {"$exists": True}})
        await self._check_escrow()
        await self._check_items()
        await self._check_orders()
        await self._check_batches()
        self._report.postings = self._sums.postings
        self._report.seconds = round(time.monotonic() - started, 3)
        return self._report

    async def _again(self, check: Check) -> None:
        self._report.add(await self._documents.transaction(check))

    async def _check_wallets(self) -> None:
        left = dict(self._sums.balances)
        self._report.minted = -left.get(economy.MINT, 0)
        for account in economy.SYSTEMS:  # they keep no balance
            left.pop(account, None)
        async for wallet in self._documents.each("wallets", {}, sort=BY_ID):
            account, balance = wallet["_id"], wallet["balance"]
            self._report.accounts += 1
            if balance != left.pop(account, 0):
                await self._again(_balance_check(account))
            if balance < 0:
                self._report.add(Finding("negative_balance", account, found=balance))
        for account in left:
            await self._again(_balance_check(account))

    async def _check_held(self, collection: str, query: Document) -> None:
        """What every open game, held duel and open withdrawal needs is in escrow, to the coin."""
        kind = _KINDS[collection]
        async for one in self._documents.each(collection, query, sort=BY_ID):
            account = economy.escrow(kind, one["_id"])
            if self._sums.balances.get(account, 0) != _held(collection, one):
                await self._again(_escrow_check(account))

    async def _check_escrow(self) -> None:
        """No money is in escrow for nothing."""
        for account in [one for one in self._sums.balances if economy.kind(one) == "escrow"]:
            await self._again(_escrow_check(account))

    async def _check_items(self) -> None:
        """Nobody owns what was not paid for."""
        bought = dict(self._sums.bought)
        async for one in self._documents.each("inventory", {}, sort=BY_ID):
            self._report.items += 1
            if not _paid_for(one, bought.pop(one["_id"], 0)):
                await self._again(_item_check(one["_id"]))
        for owned in bought:
            await self._again(_item_check(owned))

    async def _check_orders(self) -> None:
        """Who paid has his coins, and nobody else has any."""
        ordered = dict(self._sums.ordered)
        async for one in self._documents.each("orders", {}, sort=BY_ID):
            if not order_is_right(one, ordered.pop(one["_id"], 0)):
                await self._again(_order_check(one["_id"]))
        for order_id in ordered:
            await self._again(_order_check(order_id))

    async def _check_batches(self) -> None:
        """Each item of a batch that is paid has its posting, and no other has one."""
        paid: dict[str, int] = {}
        kept: set[str] = set()
        async for item in self._documents.each("batch_items", {}, sort=BY_ID):
            kept.add(item["_id"].partition("/")[0])
            if payment := item_payment(item):
                count_payment(paid, payment)
        async for batch in self._documents.each("batches", {}, sort=BY_ID):
            kept.add(batch["_id"])
        # Players' old batches are cleaned away, and their postings stay; the house's are kept.
        for batch_id in kept | self._sums.grants:
            if self._sums.batches.get(batch_id) != paid.get(batch_id):
                for finding in await self._documents.transaction(_batch_check(batch_id)):
                    self._report.add(finding)


_KINDS = {"blackjack": "blackjack", "stakes": "duel", "withdrawals": "withdrawal"}


def _held(collection: str, one: Document) -> int:
    """What must be in escrow for a game, a duel or a withdrawal."""
    if collection == "withdrawals":
        return int(one["amount"]) if "check_at" in one else 0
    if collection == "stakes":
        return int(one["stake"]) * len(one["players"]) if "check_at" in one else 0
    if "due_at" not in one:
        return 0
    game = one["game"]
    return sum(int(hand["bet"]) for hand in game["hands"]) + int(game["insurance"])


def _paid_for(one: Document, bought: int) -> bool:
    owned = sum(lot["count"] for lot in one["lots"])
    return bool(one["bought"] == bought >= owned)


async def _postings(tx: Transaction, account: str) -> AsyncIterator[Document]:
    async for posting in tx.each("postings", {"accounts": account}):
        yield posting


def _balance_check(account: str) -> Check:
    async def check(tx: Transaction) -> Finding | None:
        total = 0
        async for posting in _postings(tx, account):
            total += sum(one["amount"] for one in posting["entries"] if one["account"] == account)
        wallet = await tx.call("wallets", "find_one", {"_id": account}) or {"balance": 0}
        if wallet["balance"] == total:
            return None
        return Finding("balance_mismatch", account, total, wallet["balance"])

    return check


def _escrow_check(account: str) -> Check:
    _, kind, of = account.split(":", 2)
    collection = next(name for name, known in _KINDS.items() if known == kind)

    async def check(tx: Transaction) -> Finding | None:
        wallet = await tx.call("wallets", "find_one", {"_id": account}) or {"balance": 0}
        one = await tx.call(collection, "find_one", {"_id": of})
        held = _held(collection, one) if one else 0
        if wallet["balance"] == held:
            return None
        return Finding(
            "missing_escrow" if wallet["balance"] < held else "orphaned_escrow",
            account,
            held,
            wallet["balance"],
        )

    return check


def _item_check(owned: str) -> Check:
    player_id = owned.partition("/")[0]

    async def check(tx: Transaction) -> Finding | None:
        bought = 0
        async for posting in _postings(tx, economy.player(player_id)):
            whose, count = purchase(posting) or ("", 0)
            bought += count if whose == owned else 0
        empty: Document = {"bought": 0, "lots": []}
        one = await tx.call("inventory", "find_one", {"_id": owned}) or empty
        if _paid_for(one, bought):
            return None
        return Finding("orphaned_item", owned, bought, one["bought"])

    return check


def _order_check(order_id: str) -> Check:
    async def check(tx: Transaction) -> Finding | None:
        once = {"$in": [f"purchase:{order_id}", f"refund:{order_id}"]}
        coins = sum([order_coins(one) async for one in tx.each("postings", {"once": once})])
        order = await tx.call("orders", "find_one", {"_id": order_id})
        if order is not None and order_is_right(order, coins):
            return None
        return Finding("order_mismatch", order_id, None, coins)

    return check


def _batch_check(batch_id: str) -> Callable[[Transaction], Awaitable[list[Finding]]]:
    ids = item_ids(batch_id, 0, MOST_ITEMS)

    async def check(tx: Transaction) -> list[Finding]:
        items, postings = {"_id": {"$in": ids}}, {"once": {"$in": [f"batch:{one}" for one in ids]}}
        said = {one["_id"]: item_payment(one) async for one in tx.each("batch_items", items)}
        found = [batch_payment(one) async for one in tx.each("postings", postings)]
        done = {one.item: one for one in found if one}
        return [
            Finding("batch_mismatch", one, _amount(said.get(one)), _amount(done.get(one)))
            for one in ids
            if said.get(one) != done.get(one)
        ]

    return check


def _amount(payment: Payment | None) -> int:
    return payment.amount if payment else 0


class AuditLog:
    """Which audits were made, and what they found.

    | collection | document | indexes |
    | --- | --- | --- |
    | `audits` | `{_id: period, started_at, report?}` | none |
    """

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    async def begin(self, period: int, at: int) -> bool:
        """Take the audit of a period; False when another node has taken it."""
        try:
            await self._documents.call("audits", "insert_one", {"_id": period, "started_at": at})
        except DuplicateKeyError:
            return False
        return True

    async def end(self, period: int, report: Report) -> None:
        """Keep what it found."""
        update = {"$set": {"report": report.as_dict()}}
        await self._documents.call("audits", "update_one", {"_id": period}, update, hint="_id_")

    async def findings(self) -> int:
        """How many the newest audit that came to its end found."""
        newest = await self._documents.find("audits", {}, sort=[("_id", -1)], limit=2)
        return next((one["report"]["total"] for one in newest if "report" in one), 0)
