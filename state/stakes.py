"""What two duellists put in, held until their duel is over.

| collection | document | indexes |
| --- | --- | --- |
| `stakes` | `{_id: duel, players, stake, check_at?, outcome?}` | `check_at`, sparse |

A duel lives in Redis and its money here, and no step covers both. So the money goes first,
under the duel's id: held twice is held once. What a duel that is over left held is paid by
whoever notices first: its end is in the outbox of `duels.py`, and should that be lost,
`check_at` says when to look. A duel that is held may not have begun, or not yet: only its
own state tells, and only an end, or its loss, lets the money go.
"""

from __future__ import annotations

from game import economy
from game.duels import Duel
from game.errors import Conflict, NotFound
from state.documents import DocumentStore, Transaction
from state.duels import Duels
from state.ledger import Books, Done, Ledger

FIRST_LOOK_MS = 10_000  # a duel begins, or is refused, at once
NEXT_LOOK_MS = 60_000
BATCH = 100
OPEN = ("challenged", "active")


class Stakes:
    """The escrow of all duels."""

    def __init__(self, documents: DocumentStore, ledger: Ledger, duels: Duels) -> None:
        self._documents = documents
        self._ledger = ledger
        self._duels = duels

    async def hold(self, duel: Duel) -> Done:
        """Take the stake from both; from a duel that is held already nothing more.

        Raises:
            InsufficientFunds: one of the two has less; nothing is taken from the other.
            Conflict: it was held, and given back.
        """
        players = [fighter.id for fighter in duel.fighters]

        async def work(books: Books) -> None:
            held = await books.tx.call("stakes", "find_one", {"_id": duel.id})
            if held is None:
                await self._hold(books, duel, players)
            elif "check_at" not in held:
                raise Conflict("The challenge is over.")

        return await self._ledger.step(work)

    async def settle(self, duel: Duel) -> Done:
        """Pay the winner, or give both theirs back, if the duel is over; else nothing."""
        if duel.status in OPEN or not duel.stake:
            return Done(None, ())
        return await self._settle(duel.id, duel.winner_id)

    async def settle_left(self, duel_id: str) -> Done:
        """The same, for a duel that Redis may have lost: then it cannot be finished."""
        try:
            return await self.settle(await self._duels.get(duel_id))
        except NotFound:
            return await self._settle(duel_id, None)

    async def left(self) -> list[str]:
        """Duels whose money has been held for a while, to be looked at by this node."""
        query = {"check_at": {"$lte": self._ledger.now()}}
        found = await self._documents.find("stakes", query, sort=[("check_at", 1)], limit=BATCH)
        return [one["_id"] for one in found]

    async def look_later(self, duel_id: str) -> None:
        """The duel goes on."""

        # Read, then written by its id: SecantusDB scans for an update that has a guard.
        async def work(tx: Transaction) -> None:
            held = await tx.call("stakes", "find_one", {"_id": duel_id})
            if held and "check_at" in held:
                update = {"$set": {"check_at": self._ledger.now() + NEXT_LOOK_MS}}
                await tx.call("stakes", "update_one", {"_id": duel_id}, update, hint="_id_")

        await self._documents.transaction(work)

    # Inside

    async def _hold(self, books: Books, duel: Duel, players: list[str]) -> None:
        at = self._ledger.now()
        document = {
            "_id": duel.id,
            "players": players,
            "stake": duel.stake,
            "check_at": at + FIRST_LOOK_MS,
        }
        await books.tx.call("stakes", "insert_one", document)
        entries = [(economy.player(player), -duel.stake) for player in players]
        entries.append((_escrow(duel.id), duel.stake * len(players)))
        movement = economy.movement("stake", duel.id, entries)
        await books.post(movement, at, once=f"stake:{duel.id}")

    async def _settle(self, duel_id: str, winner_id: str | None) -> Done:
        async def work(books: Books) -> None:
            held = await books.tx.call("stakes", "find_one", {"_id": duel_id})
            if held is None or "check_at" not in held:
                return
            to = held["players"] if winner_id is None else [winner_id]
            pot = held["stake"] * len(held["players"])
            entries = [(economy.player(player), pot // len(to)) for player in to]
            reason: economy.Reason = "stake_returned" if winner_id is None else "stake_paid"
            movement = economy.movement(reason, duel_id, [(_escrow(duel_id), -pot), *entries])
            await books.post(movement, self._ledger.now(), once=f"settle:{duel_id}")
            update = {"$set": {"outcome": reason}, "$unset": {"check_at": 1}}
            await books.tx.call("stakes", "update_one", {"_id": duel_id}, update, hint="_id_")

        return await self._ledger.step(work)


def _escrow(duel_id: str) -> str:
    return economy.escrow("duel", duel_id)
