"""Schedules: what is ordered by the clock, and when the next time is.

| collection | document | indexes |
| --- | --- | --- |
| `schedules` | `{_id: name, task, payload, <times>, missed, paused, own, next_at, last_at}` | - |

`<times>` are `cron, every, tz`; `own` schedules are the code's. There are some dozens at the
most, so that a look at all is cheap. A run is ordered first, with an id made of its name and
time, and then `next_at` moves: so none is lost, and who orders it twice orders the same job.
"""

from __future__ import annotations

from typing import Any

from pymongo.errors import DuplicateKeyError

from game.errors import Conflict, NotFound
from state.documents import Document, DocumentStore

COLLECTION = "schedules"
MOST = 1_000  # schedules; more is a program that adds one for each player
BY_NAME = [("_id", 1)]


class ScheduleBook:
    """All schedules."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    async def all(self) -> list[Document]:
        """Every schedule, by name."""
        return await self._documents.find(COLLECTION, {}, sort=BY_NAME, limit=MOST)

    async def get(self, name: str) -> Document:
        """One.

        Raises:
            NotFound: there is none of that name.
        """
        found: Document | None = await self._documents.call(COLLECTION, "find_one", {"_id": name})
        if found is None:
            raise NotFound("There is no such schedule.")
        return found

    async def add(self, schedule: Document) -> None:
        """A new one.

        Raises:
            Conflict: the name is taken, or there are too many.
        """
        if len(await self.all()) >= MOST:
            raise Conflict("There are too many schedules.")
        try:
            await self._documents.call(COLLECTION, "insert_one", dict(schedule))
        except DuplicateKeyError:
            raise Conflict("There is a schedule of that name.") from None

    async def change(self, name: str, changes: Document, expected: Document | None = None) -> bool:
        """Set fields, if those in `expected` are as they were; whether they were.

        Raises:
            NotFound: there is none of that name.
        """
        # One guarded write: a scan of some dozens. A transaction would leave its locks behind
        # when its process is killed, and no schedule would move for as long.
        which = {"_id": name, **(expected or {})}
        done = await self._documents.call(COLLECTION, "update_one", which, {"$set": changes})
        if not done.matched_count:
            await self.get(name)
        return bool(done.matched_count)

    async def remove(self, name: str) -> None:
        """Take one away, if it is there."""
        await self._documents.call(COLLECTION, "delete_one", {"_id": name})


def as_document(name: str, **fields: Any) -> Document:
    """A schedule that has not run yet."""
    return {"_id": name, "paused": False, "last_at": None, **fields}
