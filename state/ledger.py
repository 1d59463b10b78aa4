"""Wallets and the ledger: double entry, one transaction for each movement.

| collection | document | indexes |
| --- | --- | --- |
| `wallets` | `{_id: account, balance, sent?: {day, amount}}` | none |
| `postings` | `{_id, reason, ref, at, accounts, entries: [{account, amount, balance}], once?, untold?}` | a |
| `requests` | `{_id: "<owner>/<key>", body, answer, expires_at}` | `expires_at`, which deletes |

a: `accounts, _id`: an account's pages; `once`, unique and sparse: what may happen one time
ever, whoever tries; `untold`, sparse: what nobody was told yet.

A posting is what happened, a wallet's balance only its sum, kept in the same transaction.
An escrow account is deleted when it is empty. A posting's id begins with its time, so that
ids sort by it. `untold` is the outbox: it is taken away when the reactions have run.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
from pymongo import UpdateOne

from config.settings import Settings
from game import economy as rules
from game.economy import Entry, Movement, Sent
from game.errors import GameError, IdempotencyMismatch
from state.documents import Document, DocumentStore, Transaction

KEEP = timedelta(days=7)  # an idempotency key and its answer
ID_BYTES = 7  # behind the 48 bits of the time and the 8 of the place
OUTBOX_AGE_MS = 3_000  # what is untold for longer was left behind by a crash
OUTBOX_BATCH = 200
UNTOLD_MS = 3_600_000  # what was left untold longer ago is told late, and not in its order


@dataclass(frozen=True, slots=True)
class Change:
    """What a posting did to one account, and the balance that it left; the operator's have none."""

    account: str
    amount: int
    balance: int | None


@dataclass(frozen=True, slots=True)
class Posting:
    """A movement that happened; `at` in milliseconds."""

    id: str
    reason: str
    ref: str
    at: int
    changes: tuple[Change, ...]

    def balance(self, account: str) -> int:
        """What the posting left in the wallet of one of its players."""
        return next(
            change.balance
            for change in self.changes
            if change.account == account and change.balance is not None
        )


@dataclass(frozen=True, slots=True)
class Done:
    """What a request came to: its answer, and its postings if it ran just now (`fresh`)."""

    answer: Any
    postings: tuple[Posting, ...]
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Postings of one account, the newest first."""

    postings: list[Posting]
    next_before: str | None


class Books:
    """The ledger within one transaction.

    All methods raise InsufficientFunds when an account would fall below zero.
    """

    def __init__(self, tx: Transaction, ledger: Ledger) -> None:
        self.tx = tx
        self.postings: list[Posting] = []
        self._ledger = ledger

    async def balance(self, player_id: str) -> int:
        """What a player has; his wallet is opened if it is not yet."""
        wallet = await self._wallet(rules.player(player_id))
        return int(wallet["balance"])

    async def count_sent(self, player_id: str, amount: int, limit: int, at: int) -> None:
        """Count a transfer against its sender's day.

        Raises:
            Conflict: the day's limit would be passed.
        """
        account = rules.player(player_id)
        wallet = await self._wallet(account)
        sent = rules.send(Sent(**wallet.get("sent", {})), amount, limit, at)
        fields = {"sent": {"day": sent.day, "amount": sent.amount}}
        await self.tx.call("wallets", "update_one", {"_id": account}, {"$set": fields}, hint="_id_")

    async def post(self, movement: Movement, at: int, once: str | None = None) -> Posting:
        """Move money.

        Args:
            once: names what can happen one time ever; the caller has looked that it did not.
        """
        wallets = await self._wallets(movement)
        changes = tuple([await self._apply(entry, wallets) for entry in movement.entries])
        posting = Posting(
            _posting_id(at, len(self.postings)), movement.reason, movement.ref, at, changes
        )
        await self.tx.call("postings", "insert_one", _document(posting, once))
        self.postings.append(posting)
        return posting

    async def _wallets(self, movement: Movement) -> dict[str, Document]:
        accounts = [one.account for one in movement.entries if not rules.is_system(one.account)]
        query = {"_id": {"$in": accounts}}
        return {one["_id"]: one async for one in self.tx.each("wallets", query)}

    async def _apply(self, entry: Entry, wallets: dict[str, Document]) -> Change:
        if rules.is_system(entry.account):
            return Change(entry.account, entry.amount, None)
        wallet = wallets.get(entry.account) or await self._open(entry.account)
        after = rules.balance_after(wallet["balance"], entry.amount)
        which = {"_id": entry.account}
        if after == 0 and rules.kind(entry.account) == "escrow":
            await self.tx.call("wallets", "delete_one", which, hint="_id_")
        else:
            # Set, not added to: what was read is locked by the write, or the whole is
            # tried again.
            update = {"$set": {"balance": after}}
            await self.tx.call("wallets", "update_one", which, update, hint="_id_")
        return Change(entry.account, entry.amount, after)

    async def _wallet(self, account: str) -> Document:
        found: Document | None = await self.tx.call("wallets", "find_one", {"_id": account})
        return found or await self._open(account)

    async def _open(self, account: str) -> Document:
        wallet: Document = {"_id": account, "balance": 0}
        await self.tx.call("wallets", "insert_one", wallet)
        player_id = rules.owner(account)
        if player_id is None or not self._ledger.starting_balance:
            return wallet
        amount = self._ledger.starting_balance
        entries = [(rules.MINT, -amount), (account, amount)]
        start = rules.movement("start", player_id, entries)
        await self.post(start, self._ledger.now(), once=f"start:{player_id}")
        return {**wallet, "balance": amount}


class Ledger:
    """The books of all nodes.

    All methods raise DependencyUnavailable when MongoDB does not answer; what they were
    to do may have been done, and asking again with the same key tells.
    """

    def __init__(
        self, documents: DocumentStore, settings: Settings, now: Callable[[], int]
    ) -> None:
        self._documents = documents
        self.starting_balance = settings.economy.starting_balance
        self.now = now
        self._told: list[str] = []

    async def step(self, work: Callable[[Books], Awaitable[Any]]) -> Done:
        """Do something with the books as one step; `work` may be called several times."""

        async def attempt(tx: Transaction) -> Done:
            books = Books(tx, self)
            return Done(await work(books), tuple(books.postings))

        return await self._documents.transaction(attempt)

    async def once(
        self, owner: str, key: str, body: object, work: Callable[[Books], Awaitable[Any]]
    ) -> Done:
        """Do something for a player one time, however often and wherever he asks.

        A refusal changes nothing and is not kept: the same key may succeed later.

        Raises:
            IdempotencyMismatch: the key was used with another body.
        """
        request_id, known = f"{owner}/{key}", sha256(orjson.dumps(body)).hexdigest()

        first = True

        async def attempt(tx: Transaction) -> Done:
            nonlocal first
            fresh, first = first, False
            # Nearly every key is new, so the first try does not look: a key that is known
            # cannot be written again, and then the next try does.
            seen = None if fresh else await tx.call("requests", "find_one", {"_id": request_id})
            if seen:
                return _answered(seen, known)
            books = Books(tx, self)
            answer = await work(books)
            await tx.call("requests", "insert_one", self._request(request_id, known, answer))
            return Done(answer, tuple(books.postings))

        try:
            return await self._documents.transaction(attempt)
        except GameError:  # perhaps only because it was done before
            seen = await self._documents.call("requests", "find_one", {"_id": request_id})
            if seen:
                return _answered(seen, known)
            raise

    def _request(self, request_id: str, known: str, answer: Any) -> Document:
        expires_at = datetime.fromtimestamp(self.now() / 1000, UTC) + KEEP
        kept = orjson.dumps(answer)
        return {"_id": request_id, "body": known, "answer": kept, "expires_at": expires_at}

    async def balance(self, player_id: str) -> int:
        """What a player has; his wallet is opened, with what a new player gets, if need be."""
        which = {"_id": rules.player(player_id)}
        wallet = await self._documents.call("wallets", "find_one", which)
        if wallet:
            return int(wallet["balance"])
        return int((await self.open(player_id)).answer)

    async def open(self, player_id: str) -> Done:
        """Give a new player his wallet, with what is in it at first; the answer is that."""
        return await self.step(lambda books: books.balance(player_id))

    async def page(self, player_id: str, before: str | None, limit: int) -> LedgerPage:
        """A player's newest postings, or the newest before one."""
        query: Document = {"accounts": rules.player(player_id)}
        if before is not None:
            query["_id"] = {"$lt": before}
        found = await self._documents.find("postings", query, sort=[("_id", -1)], limit=limit + 1)
        postings = [_posting(document) for document in found[:limit]]
        return LedgerPage(postings, postings[-1].id if len(found) > limit else None)

    # The outbox

    async def untold(self) -> list[Posting]:
        """Postings that a crash left untold, the oldest first."""
        query = {"untold": {"$lt": self.now() - OUTBOX_AGE_MS}}
        found = await self._documents.find(
            "postings", query, sort=[("untold", 1)], limit=OUTBOX_BATCH
        )
        return [_posting(document) for document in found]

    async def untold_before(self, posting: Posting, account: str) -> Posting | None:
        """The posting before this one of an account, if it is not marked as told."""
        bounds = {"$lt": posting.id, "$gt": f"{max(0, posting.at - UNTOLD_MS):012x}"}
        query: Document = {"accounts": account, "_id": bounds}
        found = await self._documents.find("postings", query, sort=[("_id", -1)], limit=1)
        return _posting(found[0]) if found and "untold" in found[0] else None

    def told(self, posting_ids: Iterable[str]) -> None:
        """The reactions to these postings have run; written down with the next `save_told`."""
        self._told.extend(posting_ids)

    async def save_told(self) -> None:
        """Write down which reactions have run; what a crash loses of it runs again."""
        told, self._told = self._told, []
        if told:
            done = {"$unset": {"untold": 1}}
            writes = [UpdateOne({"_id": one}, done, hint="_id_") for one in told]
            await self._documents.call("postings", "bulk_write", writes, ordered=False)


def _answered(seen: Document, known: str) -> Done:
    if seen["body"] != known:
        raise IdempotencyMismatch
    return Done(orjson.loads(seen["answer"]), (), fresh=False)


def _posting_id(at: int, number: int) -> str:
    """Sorts by its time, and within one step by its place there."""
    return f"{at:012x}{number:02x}{secrets.token_hex(ID_BYTES)}"


def _document(posting: Posting, once: str | None) -> Document:
    document: Document = {
        "_id": posting.id,
        "reason": posting.reason,
        "ref": posting.ref,
        "at": posting.at,
        "accounts": [change.account for change in posting.changes],
        "entries": [
            {"account": change.account, "amount": change.amount, "balance": change.balance}
            for change in posting.changes
        ],
        "untold": posting.at,
    }
    return document if once is None else {**document, "once": once}


def _posting(document: Document) -> Posting:
    changes = tuple(Change(**entry) for entry in document["entries"])
    return Posting(document["_id"], document["reason"], document["ref"], document["at"], changes)
