"""Batches of transfers, and what became of each of their items.

| collection | document | indexes |
| --- | --- | --- |
| `batches` | `{_id, payer, by, reason, total, created_at, tally, cancelled_at?, ended_at?, check_at?}` | a |
| `batch_items` | `{_id: "<batch>/<index>", to, amount, note, status, entry_id?, code?}` | none |

a: `payer`; `check_at`, sparse: open batches, and when somebody makes sure that they have a job;
`ended_at`, sparse: what the clean-up goes by.

An item gets its result in the transaction of its posting, whose `once` is made of the item's
id: it is paid one time, however often and by however many it is tried. A cancelled batch is
read in the same transaction, so nothing is begun after the cancel was acknowledged.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from config.sections import Economy as EconomySettings
from game import economy
from game import transfers as rules
from game.errors import Conflict, NotFound
from game.transfers import Batch, Item, ItemStatus, Tally
from state.documents import Document, DocumentStore, Transaction
from state.ids import new_id
from state.ledger import Books, Done, Ledger
from state.tabs import close_one, open_one

FIRST_LOOK_MS = 10_000  # its job is ordered at once, or the process died in between
NEXT_LOOK_MS = 60_000
AT_ONCE = 50  # batches in one look
MOST_ITEMS = 1_000


class Batches:
    """The batches of all players and of the house.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(self, documents: DocumentStore, ledger: Ledger, settings: EconomySettings) -> None:
        self._documents = documents
        self._ledger = ledger
        self._settings = settings

    async def create(self, batch: Batch, items: Sequence[Item], key: str) -> Batch:
        """Keep a new batch, or answer the one that this key made.

        Raises:
            Conflict: the payer has too many open ones.
            IdempotencyMismatch: the key was used for something else.
        """
        most = self._settings.open_batches

        async def work(books: Books) -> str:
            await open_one(books.tx, _tab(batch), most)
            kept = _document(batch) | {"check_at": batch.created_at + FIRST_LOOK_MS}
            await books.tx.call("batches", "insert_one", kept)
            documents = [_item_document(batch.id, item) for item in items]
            await books.tx.call("batch_items", "insert_many", documents)
            return batch.id

        wanted = [[item.to, item.amount, item.note] for item in items]
        body = ["wallet:batch", batch.payer, batch.reason, wanted]
        owner = batch.by if batch.from_house else batch.payer
        done = await self._ledger.once(owner, key, body, work)
        return await self.get(done.answer)

    def new(self, payer: str, by: str, reason: str, total: int) -> Batch:
        """A batch that is not kept yet."""
        return Batch(new_id(), payer, by, reason, total, self._ledger.now())

    async def get(self, batch_id: str) -> Batch:
        """One batch.

        Raises:
            NotFound: there is none.
        """
        return _batch(await self._documents.call("batches", "find_one", {"_id": batch_id}))

    async def items(self, batch_id: str, first: int = 0, limit: int = MOST_ITEMS) -> list[Item]:
        """Items in their order, from an index on."""
        query = _items(batch_id, first, first + limit)
        found = await self._documents.find("batch_items", query, sort=[("_id", 1)], limit=limit)
        return [_item(one) for one in found]

    async def cancel(self, batch_id: str) -> Batch:
        """Start none of its items any more.

        Raises:
            NotFound: there is no such batch.
            Conflict: it is over.
        """

        async def work(tx: Transaction) -> Batch:
            batch = _batch(await tx.call("batches", "find_one", {"_id": batch_id}))
            if batch.ended_at is not None:
                raise Conflict(f"The batch is {batch.status}.")
            if batch.cancelled_at is None:
                await _set(tx, "batches", batch_id, {"cancelled_at": self._ledger.now()})
            return _batch(await tx.call("batches", "find_one", {"_id": batch_id}))

        return await self._documents.transaction(work)

    # What its job does

    async def pay(self, batch: Batch, item: Item) -> Done:
        """Pay an item that waits, or cancel it if its batch is; the answer is the item then.

        Raises:
            InsufficientFunds: the payer has less than the amount and its fee.
            Conflict: it is more than he may send in a day.
        """

        async def work(books: Books) -> Item:
            which = _item_id(batch.id, item.index)
            before = _item(await books.tx.call("batch_items", "find_one", {"_id": which}))
            if before.status != "waiting":
                return before
            now = _batch(await books.tx.call("batches", "find_one", {"_id": batch.id}))
            if now.cancelled_at is not None:
                return await self._end(books.tx, batch.id, before, "cancelled")
            entry_id = await self._post(books, batch, before)
            return await self._end(books.tx, batch.id, before, "paid", entry_id=entry_id)

        return await self._ledger.step(work)

    async def refuse(self, batch: Batch, item: Item, code: str) -> Item:
        """Note why an item that waits cannot be paid; the item as it is then."""

        async def work(tx: Transaction) -> Item:
            which = _item_id(batch.id, item.index)
            before = _item(await tx.call("batch_items", "find_one", {"_id": which}))
            if before.status != "waiting":
                return before
            return await self._end(tx, batch.id, before, "refused", code=code)

        return await self._documents.transaction(work)

    async def note(self, batch_id: str, tally: Tally) -> Batch:
        """Keep how far it has come; it is over when every item has its result."""

        async def work(tx: Transaction) -> Batch:
            batch = _batch(await tx.call("batches", "find_one", {"_id": batch_id}))
            if batch.ended_at is not None or tally.ended < batch.tally.ended:
                return batch
            fields: Document = {"tally": asdict(tally)}
            over = tally.ended == batch.total
            if over:
                fields["ended_at"] = self._ledger.now()
                await close_one(tx, _tab(batch))
            await _set(tx, "batches", batch_id, fields, closed=over)
            return _batch(await tx.call("batches", "find_one", {"_id": batch_id}))

        return await self._documents.transaction(work)

    async def left(self) -> list[str]:
        """Open batches whose job may never have been ordered."""
        query = {"check_at": {"$lte": self._ledger.now()}}
        found = await self._documents.find("batches", query, sort=[("check_at", 1)], limit=AT_ONCE)
        return [one["_id"] for one in found]

    async def look_later(self, batch_id: str) -> None:
        """Its job is there."""

        async def work(tx: Transaction) -> None:
            found = await tx.call("batches", "find_one", {"_id": batch_id})
            if found and "check_at" in found:
                later = {"check_at": self._ledger.now() + NEXT_LOOK_MS}
                await _set(tx, "batches", batch_id, later)

        await self._documents.transaction(work)

    async def drop_ended(self, before: int) -> int:
        """Delete what ended before that (ms), with its items; how many batches.

        Those of the house stay: they say who gave away what, and why.
        """
        query = {"ended_at": {"$lt": before}, "payer": {"$ne": economy.HOUSE}}
        oldest = [("ended_at", 1)]
        dropped = 0
        while found := await self._documents.find("batches", query, sort=oldest, limit=AT_ONCE):
            for one in found:
                items = _items(one["_id"], 0, one["total"])
                await self._documents.call("batch_items", "delete_many", items)
                await self._documents.call("batches", "delete_one", {"_id": one["_id"]})
            dropped += len(found)
        return dropped

    # Inside

    async def _post(self, books: Books, batch: Batch, item: Item) -> str:
        at, once = self._ledger.now(), f"batch:{_item_id(batch.id, item.index)}"
        if batch.from_house:
            movement = rules.grant(item.to, item.amount, item.note)
        else:
            fee = economy.fee(item.amount, self._settings.transfer_fee_permille)
            movement = economy.transfer(batch.payer, item.to, item.amount, fee, item.note)
        posting = await books.post(movement, at, once=once)
        if not batch.from_house:
            await books.count_sent(batch.payer, item.amount, self._settings.transfer_daily, at)
        return posting.id

    async def _end(
        self, tx: Transaction, batch_id: str, item: Item, status: ItemStatus, **result: str
    ) -> Item:
        fields = {"status": status, **result}
        await _set(tx, "batch_items", _item_id(batch_id, item.index), fields)
        return Item(item.index, item.to, item.amount, item.note, status, **result)


async def _set(
    tx: Transaction, collection: str, id: str, fields: Document, *, closed: bool = False
) -> None:
    update: dict[str, Any] = {"$set": fields}
    if closed:
        update["$unset"] = {"check_at": 1}
    await tx.call(collection, "update_one", {"_id": id}, update, hint="_id_")


def _tab(batch: Batch) -> str:
    return f"batches/{batch.payer}"


def _item_id(batch_id: str, index: int) -> str:
    """Sorts by index, of which there are at most four digits."""
    return f"{batch_id}/{index:04}"


def _items(batch_id: str, first: int, end: int) -> Document:
    """By their ids: of a range of `_id`, SecantusDB makes a scan."""
    return {"_id": {"$in": [_item_id(batch_id, index) for index in range(first, end)]}}


def _document(batch: Batch) -> Document:
    fields = {name: value for name, value in asdict(batch).items() if value is not None}
    return {"_id": fields.pop("id"), **fields}


def _batch(found: Document | None) -> Batch:
    if found is None:
        raise NotFound("There is no such batch.")
    return Batch(
        id=found["_id"],
        payer=found["payer"],
        by=found["by"],
        reason=found["reason"],
        total=found["total"],
        created_at=found["created_at"],
        tally=Tally(**found["tally"]),
        cancelled_at=found.get("cancelled_at"),
        ended_at=found.get("ended_at"),
    )


def _item_document(batch_id: str, item: Item) -> Document:
    fields = {"to": item.to, "amount": item.amount, "note": item.note, "status": item.status}
    return {"_id": _item_id(batch_id, item.index), **fields}


def _item(found: Document) -> Item:
    return Item(
        index=int(found["_id"].partition("/")[2]),
        to=found["to"],
        amount=found["amount"],
        note=found["note"],
        status=found["status"],
        entry_id=found.get("entry_id"),
        code=found.get("code"),
    )
