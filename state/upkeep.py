"""What the jobs read and tidy in MongoDB: the audit, a day's economy, what is long over."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from game.economy import DAY_MS, kind
from state.audit import BY_ID, Audit, AuditLog, Report
from state.documents import Document, DocumentStore

LOG_DAYS = 365  # of what operators did
KEEP_DAYS = 90  # of games that have ended and of audits: two quarters of a year to look back


@dataclass(slots=True)
class Turnover:
    """What a day's movements of one reason came to: how many, and the coins that players
    gained and lost, escrow included.
    """

    postings: int = 0
    gained: int = 0
    lost: int = 0


class Upkeep:
    """The durable state, looked at as a whole. Everything here reads whole collections: it
    is for jobs, never for requests.
    """

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents
        self.log = AuditLog(documents)

    async def audit(self, at: int) -> Report:
        """Check the books, and keep what was found under its time."""
        await self.log.begin(at, at)
        report = await Audit(self._documents).run()
        await self.log.end(at, report)
        return report

    async def turnover(self, day: int) -> dict[str, Turnover]:
        """The movements of a UTC day, numbered from the epoch, by reason."""
        first = day * DAY_MS
        # A posting's id begins with its time: 12 hexadecimal digits of ms.
        ids = {"_id": {"$gte": f"{first:012x}", "$lt": f"{first + DAY_MS:012x}"}}
        by_reason: dict[str, Turnover] = defaultdict(Turnover)
        async for posting in self._documents.each("postings", ids, sort=BY_ID):
            of_reason = by_reason[posting["reason"]]
            of_reason.postings += 1
            for entry in posting["entries"]:
                if kind(entry["account"]) in {"player", "escrow"}:
                    of_reason.gained += max(0, entry["amount"])
                    of_reason.lost -= min(0, entry["amount"])
        return dict(by_reason)

    async def tidy(self, now: int) -> dict[str, int]:
        """Delete what nobody will ask for again; how many of each."""
        old = now - KEEP_DAYS * DAY_MS
        over: dict[str, Document] = {
            "boosts": {"until": {"$lt": now - DAY_MS}},
            "blackjack": {"ended_at": {"$lt": old}},
            "audits": {"started_at": {"$lt": old}},
            # Its ids begin with their time: 12 hexadecimal digits of ms.
            "operations_log": {"_id": {"$lt": f"{now - LOG_DAYS * DAY_MS:012x}"}},
            "reports": {"resolution.at": {"$lt": old}},
        }
        counts = {}
        for collection, which in over.items():
            counts[collection] = await self._documents.delete_all(collection, which)
        return counts
