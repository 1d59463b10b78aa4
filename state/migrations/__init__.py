"""What a database must go through once, in this order, whichever node starts first.

| collection | document | indexes |
| --- | --- | --- |
| `migrations` | `{_id: number, name, at}`, and `{_id: "lease", until, by}` | none |

The indexes of `accounts` and `archive` stay with those modules' `prepare`: making an index
that is there does nothing, so they need no number, and databases from before the first
migration have them already. What is made from here on has a number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pymongo.errors import DuplicateKeyError

from state.documents import DocumentStore
from state.ids import new_id
from state.migrations import (
    m0001_economy,
    m0002_orders,
    m0003_friends,
    m0004_belongings,
    m0005_ratings,
    m0006_outbound,
    m0007_moderation,
    m0008_transfers,
    m0009_operations,
)

LEASE_MS = 60_000  # a migration that takes longer must renew it
POLL_SECONDS = 0.1


class NewerDatabaseError(Exception):
    """The database went through migrations that this version of the code does not know."""


class Migration(NamedTuple):
    """One step, safe to run again after a crash in its middle."""

    number: int
    name: str
    run: Callable[[DocumentStore], Awaitable[None]]


MIGRATIONS = (
    Migration(1, "the economy's indexes", m0001_economy.run),
    Migration(2, "the index of orders", m0002_orders.run),
    Migration(3, "the indexes of friends", m0003_friends.run),
    Migration(4, "the indexes of belongings", m0004_belongings.run),
    Migration(5, "the indexes of ratings", m0005_ratings.run),
    Migration(6, "webhooks and notifications", m0006_outbound.run),
    Migration(7, "the queue of reports, mutes, bans and their log", m0007_moderation.run),
    Migration(8, "the indexes of batches and withdrawals", m0008_transfers.run),
    Migration(9, "the index of what operators did", m0009_operations.run),
)


async def migrate(
    documents: DocumentStore,
    now: Callable[[], int],
    migrations: tuple[Migration, ...] = MIGRATIONS,
) -> list[int]:
    """Run what is missing, on one node at a time; returns the numbers that ran here.

    Raises:
        NewerDatabaseError: the database is newer than the code.
        DependencyUnavailable: MongoDB did not answer.
    """
    if await _missing(documents, migrations) == ():
        return []
    by = new_id()
    while not await _take_lease(documents, by, now()):  # noqa: ASYNC110 - another node tells
        await asyncio.sleep(POLL_SECONDS)
    try:
        return [await _run(documents, one, now) for one in await _missing(documents, migrations)]
    finally:
        await documents.call("migrations", "delete_one", {"_id": "lease", "by": by})


async def _missing(
    documents: DocumentStore, migrations: tuple[Migration, ...]
) -> tuple[Migration, ...]:
    query = {"_id": {"$type": "number"}}
    done = {one["_id"] async for one in documents.each("migrations", query, sort=[("_id", 1)])}
    unknown = done - {one.number for one in migrations}
    if unknown:
        raise NewerDatabaseError(
            f"The database has migration {max(unknown)}, which this version does not know: "
            "start the version that made it, or a newer one."
        )
    return tuple(one for one in migrations if one.number not in done)


async def _run(documents: DocumentStore, one: Migration, now: Callable[[], int]) -> int:
    await one.run(documents)
    record = {"_id": one.number, "name": one.name, "at": now()}
    await documents.call("migrations", "insert_one", record)
    return one.number


async def _take_lease(documents: DocumentStore, by: str, now: int) -> bool:
    lease = {"_id": "lease", "by": by, "until": now + LEASE_MS}
    try:
        await documents.call("migrations", "insert_one", lease)
    except DuplicateKeyError:
        guard = {"_id": "lease", "until": {"$lte": now}}
        update = {"$set": {"by": by, "until": now + LEASE_MS}}
        taken = await documents.call("migrations", "update_one", guard, update, hint="_id_")
        return bool(taken.modified_count)
    return True
