"""What mutes, bans and roles still have to change outside of MongoDB, and their end by time.

An action of a moderator writes `enforce` into the account (desk.py), with the index
`enforce.at`, sparse. Whoever acted carries it out at once and takes it away; what a crash
left, any node finds. What is to be done is read from the account as it is then, so doing it
twice, or late, does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from game.moderation import Ended
from state.desk import UNTIL
from state.documents import Document, DocumentStore, Transaction

AGE_MS = 3_000  # what waits for longer was left behind by a crash
BATCH = 200


@dataclass(frozen=True, slots=True)
class Due:
    """What an account's sockets, tokens and players have to be told of it."""

    account_id: str
    entry: Document
    reason: str
    sign_out: bool
    voice: bool
    banned: bool
    muted_until: int


class Enforcement:
    """The outbox of the moderators' actions.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(self, documents: DocumentStore, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now

    async def due(self, account_id: str) -> Due | None:
        """What is to be done about an account; None if nothing is."""
        account = await self._documents.call("accounts", "find_one", {"_id": account_id})
        return self._due(account) if account and account.get("enforce") else None

    async def left(self) -> list[Due]:
        """What a crash left undone, the oldest first."""
        query = {"enforce.at": {"$lt": self._now() - AGE_MS}}
        found = await self._documents.find("accounts", query, sort=[("enforce.at", 1)], limit=BATCH)
        return [self._due(account) for account in found]

    async def done(self, due: Due) -> None:
        """Note that it was done, unless there is more by now."""

        async def attempt(tx: Transaction) -> None:
            which = {"_id": due.account_id}
            account = await tx.call("accounts", "find_one", which)
            if account and account.get("enforce") == due.entry:
                taken = {"$unset": {"enforce": 1}}
                await tx.call("accounts", "update_one", which, taken, hint="_id_")

        await self._documents.transaction(attempt)

    async def end_those_over(self) -> int:
        """Take mutes and bans whose time is over out of those in force; returns how many.

        They count no more since then, whether this has run or not: it keeps the list short.
        """
        over: list[Document] = []
        for kind in UNTIL:  # SecantusDB does not use the index for both at once
            query = {"active": kind, "until": {"$lte": self._now()}}
            sort = [("until", 1)]
            over += await self._documents.find("sanctions", query, sort=sort, limit=BATCH)
        for one in over:
            ended = Ended(how="expired", at=one["until"], by=None, reason="")
            guard = {"_id": one["_id"], "active": one["kind"]}
            await self._documents.update_guarded("sanctions", guard, {"active": "", "ended": ended})
        return len(over)

    def _due(self, account: Document) -> Due:
        enforce = account["enforce"]
        now = self._now()
        return Due(
            account_id=account["_id"],
            entry=enforce,
            reason=enforce["reason"],
            sign_out=enforce.get("sign_out", False),
            voice=enforce.get("voice", False),
            banned=account.get("banned_until", 0) > now,
            muted_until=int(account.get("muted_until", 0)),  # the driver has its own integers
        )
