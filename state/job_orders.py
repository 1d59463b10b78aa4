"""Orders of money jobs: in MongoDB before they are acknowledged, until they are done.

| collection | document | indexes |
| --- | --- | --- |
| `job_orders` | `{_id: job, task, data, due_at, priority, created_at, check_at?, state?, result?,
  expires_at?}` | `check_at` (sparse), `expires_at` (TTL) |

The queue in Redis is only a way to the workers. `check_at` is when somebody makes sure that
an open order is in its queue; one that Redis has lost is put in again, with the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from state.documents import Document, DocumentStore

COLLECTION = "job_orders"
AT_ONCE = 500  # orders in one look
KEPT = timedelta(days=7)  # what is done, as the wallet's idempotency keys


class JobOrders:
    """Every open order, and those that were done in the last week."""

    def __init__(self, documents: DocumentStore, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now

    async def prepare(self) -> None:
        """Make the indexes, unless they are there."""
        make = self._documents.call
        await make(COLLECTION, "create_index", [("check_at", 1)], sparse=True)
        await make(COLLECTION, "create_index", [("expires_at", 1)], expireAfterSeconds=0)

    async def put(self, order: Document, check_after: float) -> Document | None:
        """Keep an order; the earlier one of that id, if there is one.

        Raises:
            DependencyUnavailable: MongoDB did not answer; the order may be kept.
        """
        now = self._now()
        document = {**order, "created_at": now, "check_at": now + round(check_after * 1000)}
        try:
            await self._documents.call(COLLECTION, "insert_one", document)
        except DuplicateKeyError:
            return await self.get(order["_id"])
        return None

    async def get(self, job_id: str) -> Document | None:
        """An order."""
        found: Document | None = await self._documents.call(COLLECTION, "find_one", {"_id": job_id})
        return found

    async def due(self) -> list[Document]:
        """Open orders that are to be looked for in their queues."""
        query = {"check_at": {"$lte": self._now()}}
        return await self._documents.find(COLLECTION, query, sort=[("check_at", 1)], limit=AT_ONCE)

    async def checked(self, job_ids: Sequence[str], again_after: float) -> None:
        """They are in their queues; look again so many seconds from now."""
        at = self._now() + round(again_after * 1000)
        # Without a guard, which would be a scan. One that has ended meanwhile is looked at once
        # more, and then no more: `due` and `settled`.
        updates = [UpdateOne({"_id": one}, {"$set": {"check_at": at}}) for one in job_ids]
        if updates:
            await self._documents.call(COLLECTION, "bulk_write", updates, ordered=False)

    async def settled(self, job_id: str) -> None:
        """It has ended: nobody needs to look for it."""
        change = {"$unset": {"check_at": ""}}
        await self._documents.call(COLLECTION, "update_one", {"_id": job_id}, change, hint="_id_")

    async def check_all(self) -> None:
        """Redis has lost its data: every open order is to be looked for now."""
        query, change = {"check_at": {"$exists": True}}, {"$set": {"check_at": 0}}
        await self._documents.update_all(COLLECTION, query, change)

    async def done(self, job_id: str, result: Any, state: str = "completed") -> None:
        """It needs no worker any more; keep for a while what came of it."""
        expires_at = datetime.now(UTC) + KEPT
        end = {"state": state, "result": result, "expires_at": expires_at}
        change = {"$set": end, "$unset": {"check_at": ""}}
        await self._documents.call(COLLECTION, "update_one", {"_id": job_id}, change, hint="_id_")
