"""What operators did, or tried to: written down before it is done, its outcome after it.

| collection | document | indexes |
| --- | --- | --- |
| `operations_log` | `{_id, action, by, details, at, outcome}` | `by.account_id, _id` |

What they act on is in Redis as well as in MongoDB, so that no transaction holds both. An entry
without an outcome is of an action of which only its begin is known: its process died in it, or
MongoDB went away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from game.errors import NotFound, Unauthenticated
from game.moderation import Person
from game.operations import OperationEntry
from state.documents import Document, DocumentStore
from state.ids import new_timed_id


class OperationsLog:
    """The log. All methods raise DependencyUnavailable when MongoDB does not answer."""

    def __init__(self, documents: DocumentStore, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now

    async def begin(self, by: str, action: str, details: dict[str, Any]) -> str:
        """Write down what an account is about to do; the entry's id.

        Raises:
            Unauthenticated: the account was deleted just now.
        """
        account = await self._documents.call("accounts", "find_one", {"_id": by})
        if account is None:
            raise Unauthenticated
        at = self._now()
        entry: Document = {
            "_id": new_timed_id(at),
            "action": action,
            "by": Person(account_id=by, name=account.get("username") or by),
            "details": details,
            "at": at,
            "outcome": None,
        }
        await self._documents.call("operations_log", "insert_one", entry)
        return str(entry["_id"])

    async def end(self, entry_id: str, outcome: str) -> None:
        """Write down what became of it.

        Raises:
            NotFound: there is no such entry.
        """
        fields = {"$set": {"outcome": outcome}}
        done = await self._documents.call(
            "operations_log", "update_one", {"_id": entry_id}, fields, hint="_id_"
        )
        if not done.matched_count:
            raise NotFound

    async def page(self, before: str | None, limit: int, by: str | None) -> list[OperationEntry]:
        """The newest entries, or the newest before one; `by` is an account."""
        query: Document = {} if by is None else {"by.account_id": by}
        bounded = query if before is None else {**query, "_id": {"$lt": before}}
        found = await self._documents.find(
            "operations_log", bounded, sort=[("_id", -1)], limit=limit
        )
        return [cast("OperationEntry", {"id": one.pop("_id"), **one}) for one in found]
