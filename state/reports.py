"""Reported messages: a queue for moderators.

| collection | document | indexes |
| --- | --- | --- |
| `reports` | `{_id, once, status, message, reporter: {id, name}, reason, reported_at, resolution?}` | a |

a: `status, _id`: the queue; `once`, unique and sparse: a player reports a message one time;
`message.from.id, _id`: what was reported of a player. An id begins with its time, so that
ids sort by it. The collection's migration is m0041.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from pymongo.errors import DuplicateKeyError

from game.chat import Author, ChatMessage
from game.errors import NotFound
from game.moderation import ReportStatus, ReportView
from state.documents import Document, DocumentStore
from state.ids import new_timed_id

COUNTED = 10_000  # open reports; more is too many whatever the number


class Reports:
    """What players showed to the moderators.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(self, documents: DocumentStore, observe: Callable[[int], object]) -> None:
        self._documents = documents
        self._observe = observe  # told how many reports are open

    async def file(self, message: ChatMessage, reporter: Author, reason: str, at: int) -> str:
        """Keep a message as it is now; returns the report's id.

        A player's second report of a message is his first one.
        """
        once = f"{message['id']}/{reporter['id']}"
        document = {
            "_id": new_timed_id(at),
            "once": once,
            "status": "open",
            "message": message,
            "reporter": reporter,
            "reason": reason,
            "reported_at": at,
        }
        try:
            await self._documents.call("reports", "insert_one", document)
        except DuplicateKeyError:
            document = await self._documents.call("reports", "find_one", {"once": once})
        return str(document["_id"])

    async def get(self, report_id: str) -> ReportView:
        """One report.

        Raises:
            NotFound: there is none.
        """
        found = await self._documents.call("reports", "find_one", {"_id": report_id})
        if found is None:
            raise NotFound("There is no such report.")
        return view(found)

    async def page(self, status: ReportStatus, after: str, limit: int) -> list[ReportView]:
        """The oldest reports of a status, or the oldest after one."""
        query = {"status": status, "_id": {"$gt": after}}
        found = await self._documents.find("reports", query, sort=[("_id", 1)], limit=limit)
        return [view(document) for document in found]

    async def about(self, player_ids: list[str], limit: int) -> list[ReportView]:
        """The newest reports of what these players wrote."""
        found: list[Document] = []
        for player_id in player_ids:  # an account has a handful
            query = {"message.from.id": player_id}
            found += await self._documents.find("reports", query, sort=[("_id", -1)], limit=limit)
        found.sort(key=lambda document: str(document["_id"]), reverse=True)
        return [view(document) for document in found[:limit]]

    async def count_open(self) -> None:
        """Tell how many reports wait."""
        count = await self._documents.call(
            "reports", "count_documents", {"status": "open"}, limit=COUNTED
        )
        self._observe(count)


def view(document: Document) -> ReportView:
    """A report as moderators see it."""
    return ReportView(
        id=document["_id"],
        status=document["status"],
        message=cast("ChatMessage", document["message"]),
        reporter=cast("Author", document["reporter"]),
        reason=document["reason"],
        reported_at=document["reported_at"],
        resolution=document.get("resolution"),
    )
