"""Accounts that are deleted: begun in one step, done by any node, again after a crash.

| collection | document | indexes |
| --- | --- | --- |
| `deletions` | `{_id: account, players, passes, due_at}` | `due_at` |

The account's document goes in the step that makes the record of its deletion: from then on
nobody signs in, and the record says what is still to do. It is gone over twice, the second
time for what a connection did that had not heard of its end yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from game.errors import Forbidden
from state.accounts import ADMIN
from state.copies import of_account
from state.documents import Document, DocumentStore, Transaction

PASSES = 2
LEASE_MS = 5_000  # a node that dies in a pass delays it by this; two at once do no harm
AGAIN_MS = 10_000  # by then every node has ended the account's connections, on its own if need be
BATCH = 10


@dataclass(frozen=True, slots=True)
class Deletion:
    """What is to be done: for which account, its players, and for the how manieth time."""

    account_id: str
    players: tuple[str, ...]
    passes: int


class Deletions:
    """The way of accounts out of the stores.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(self, documents: DocumentStore, fresh_ms: int, now: Callable[[], int]) -> None:
        self._documents = documents
        self._fresh_ms = fresh_ms
        self._now = now

    async def begin(self, account_id: str, family: str) -> None:
        """Take the account away, and keep what is to be done; again, it is begun already.

        Raises:
            Forbidden: it is an administrator's, or it has a password, and `family` was not
                begun a moment ago.
            StaleVersion: others were faster all the time.
        """

        async def work(tx: Transaction) -> None:
            account = await tx.call("accounts", "find_one", {"_id": account_id})
            if account is None:
                return
            if account["role"] == ADMIN:  # or nobody could run the server until its next start
                raise Forbidden("An administrator's account is the settings' to take away.")
            if "password" in account:
                await self._check_fresh(tx, family)
            query = {"account_id": account_id}
            players = [one["_id"] async for one in tx.each("characters", query)]
            record = {"_id": account_id, "players": players, "passes": 0, "due_at": self._now()}
            await tx.call("deletions", "insert_one", record)
            await tx.spoil(of_account(account_id))
            await tx.call("accounts", "delete_one", {"_id": account_id}, hint="_id_")

        await self._documents.transaction(work)

    async def _check_fresh(self, tx: Transaction, family: str) -> None:
        found = await tx.call("families", "find_one", {"_id": family})
        begun_ms = found["created_at"].timestamp() * 1000 if found else 0
        if self._now() - begun_ms > self._fresh_ms:
            raise Forbidden("Sign in again first.")

    async def families(self, account_id: str) -> list[str]:
        """The sign-ins of an account."""
        query = {"account_id": account_id}
        return [one["_id"] async for one in self._documents.each("families", query, sort=ORDER)]

    async def due(self) -> list[Deletion]:
        """Deletions with something to do, lent to this node for a moment."""
        query = {"due_at": {"$lte": self._now()}}
        found = await self._documents.find("deletions", query, sort=[("due_at", 1)], limit=BATCH)
        return [deletion for one in found if (deletion := await self._take(one))]

    async def _take(self, found: Document) -> Deletion | None:
        guard = {"_id": found["_id"], "due_at": found["due_at"]}
        update = {"$set": {"due_at": self._now() + LEASE_MS}}
        taken = await self._documents.call("deletions", "update_one", guard, update)
        if not taken.modified_count:
            return None
        return Deletion(found["_id"], await self._players(found), found["passes"])

    async def _players(self, found: Document) -> tuple[str, ...]:
        """Those of the record, and one that was made at the moment of the deletion."""
        query = {"account_id": found["_id"]}
        late = [one["_id"] async for one in self._documents.each("characters", query, sort=ORDER)]
        players = tuple(dict.fromkeys([*found["players"], *late]))
        if len(players) > len(found["players"]):
            update = {"$set": {"players": players}}
            await self._documents.call("deletions", "update_one", {"_id": found["_id"]}, update)
        return players

    async def passed(self, deletion: Deletion) -> None:
        """A pass is done: sign-ins and characters go, and after the last one the record."""
        query = {"account_id": deletion.account_id}
        for collection in ("families", "characters"):
            await self._documents.call(collection, "delete_many", query)
        which = {"_id": deletion.account_id}
        if deletion.passes + 1 == PASSES:
            await self._documents.call("deletions", "delete_one", which)
            return
        fields = {"passes": deletion.passes + 1, "due_at": self._now() + AGAIN_MS}
        await self._documents.call("deletions", "update_one", which, {"$set": fields})


ORDER: Sequence[tuple[str, int]] = [("_id", 1)]
