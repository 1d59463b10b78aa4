"""Withdrawals: coins in escrow until an outside ledger has them, or has refused them for good.

| collection | document | indexes |
| --- | --- | --- |
| `withdrawals` | `{_id, player_id, by, address, amount, created_at, status, polls, reference?, reason?, ended_at?, check_at?}` | a |

a: `player_id`; `status, _id`; `check_at`, sparse: open ones, and when somebody makes sure that
they have a job.

The coins go from the wallet to `escrow:withdrawal:<id>` in the step that makes the document.
With the end of `check_at` they leave it: to the mint, since they are out of this world then,
or back to the wallet.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

from dataclasses import asdict, fields

from config.sections import Economy as EconomySettings
from game import economy
from game import withdrawals as rules
from game.errors import NotFound
from game.withdrawals import Verdict, Withdrawal, WithdrawalStatus
from state.documents import Document, DocumentStore, Transaction
from state.ids import new_timed_id
from state.ledger import Books, Done, Ledger
from state.tabs import close_one, open_one

FIRST_LOOK_MS = 10_000  # its job is ordered at once, or the process died in between
NEXT_LOOK_MS = 60_000
AT_ONCE = 50  # withdrawals in one look
FIELDS = tuple(field.name for field in fields(Withdrawal) if field.name != "id")


class Withdrawals:
    """The withdrawals of all players.

    All methods raise DependencyUnavailable when MongoDB does not answer.
    """

    def __init__(self, documents: DocumentStore, ledger: Ledger, settings: EconomySettings) -> None:
        self._documents = documents
        self._ledger = ledger
        self._settings = settings

    async def create(self, player_id: str, by: str, address: str, amount: int, key: str) -> Done:
        """Hold coins for an address; the answer is the id, of the one that this key made.

        Raises:
            InsufficientFunds: the player has less.
            Conflict: it is more than he may send in a day, or too many are open.
            IdempotencyMismatch: the key was used for something else.
        """
        at = self._ledger.now()
        made = Withdrawal(new_timed_id(at), player_id, by, address, amount, at)

        async def work(books: Books) -> str:
            most = self._settings.open_withdrawals
            await open_one(books.tx, _tab(made), most)
            kept = _document(made) | {"check_at": at + FIRST_LOOK_MS}
            await books.tx.call("withdrawals", "insert_one", kept)
            await self._post(books, "withdrawal", made, economy.player(player_id), _held(made))
            await books.count_sent(player_id, amount, self._settings.transfer_daily, at)
            return made.id

        body = ["wallet:withdraw", address, amount]
        return await self._ledger.once(player_id, key, body, work)

    async def get(self, withdrawal_id: str) -> Withdrawal:
        """One withdrawal.

        Raises:
            NotFound: there is none.
        """
        which = {"_id": withdrawal_id}
        return _withdrawal(await self._documents.call("withdrawals", "find_one", which))

    async def find(
        self, status: WithdrawalStatus, before: str | None, limit: int
    ) -> list[Withdrawal]:
        """Those in a state, the newest first, or the newest before one."""
        query: Document = {"status": status}
        if before is not None:
            query["_id"] = {"$lt": before}
        newest = [("_id", -1)]
        found = await self._documents.find("withdrawals", query, sort=newest, limit=limit)
        return [_withdrawal(one) for one in found]

    async def heard(self, asked: Withdrawal, verdict: Verdict) -> Done:
        """Do what the outside ledger's word calls for, once; the answer is what it made of it."""

        async def work(books: Books) -> Withdrawal:
            which = {"_id": asked.id}
            found = await books.tx.call("withdrawals", "find_one", which)
            before = _withdrawal(found)
            after = rules.hear(before, verdict, asked.polls, self._ledger.now())
            if after is before:
                return before
            document = _document(after)
            if after.ended_at is None:
                document["check_at"] = found["check_at"]
            else:
                await close_one(books.tx, _tab(after))
                await self._let_go(books, after)
            await books.tx.call("withdrawals", "replace_one", which, document, hint="_id_")
            return after

        return await self._ledger.step(work)

    async def left(self) -> list[Withdrawal]:
        """Open ones whose job may never have been ordered."""
        query, soonest = {"check_at": {"$lte": self._ledger.now()}}, [("check_at", 1)]
        found = await self._documents.find("withdrawals", query, sort=soonest, limit=AT_ONCE)
        return [_withdrawal(one) for one in found]

    async def look_later(self, withdrawal_id: str, seconds: float = 0) -> None:
        """Its job is there, and runs in so many seconds."""
        which = {"_id": withdrawal_id}

        async def work(tx: Transaction) -> None:
            found = await tx.call("withdrawals", "find_one", which)
            if found and "check_at" in found:
                later = self._ledger.now() + NEXT_LOOK_MS + round(seconds * 1000)
                update = {"$set": {"check_at": later}}
                await tx.call("withdrawals", "update_one", which, update, hint="_id_")

        await self._documents.transaction(work)

    # Inside

    async def _let_go(self, books: Books, one: Withdrawal) -> None:
        if one.status == "confirmed":
            await self._post(books, "withdrawn", one, _held(one), economy.MINT)
        else:
            back = economy.player(one.player_id)
            await self._post(books, "withdrawal_returned", one, _held(one), back)

    async def _post(
        self, books: Books, reason: economy.Reason, one: Withdrawal, source: str, target: str
    ) -> None:
        entries = [(source, -one.amount), (target, one.amount)]
        movement = economy.movement(reason, one.id, entries)
        # One end, whichever: another one would have the same name.
        once = f"withdrawal:{one.id}" + ("" if reason == "withdrawal" else ":end")
        await books.post(movement, self._ledger.now(), once=once)


def _tab(one: Withdrawal) -> str:
    return f"withdrawals/{one.player_id}"


def _held(one: Withdrawal) -> str:
    return economy.escrow("withdrawal", one.id)


def _document(one: Withdrawal) -> Document:
    kept = {name: value for name, value in asdict(one).items() if value is not None}
    return {"_id": kept.pop("id"), **kept}


def _withdrawal(found: Document | None) -> Withdrawal:
    if found is None:
        raise NotFound("There is no such withdrawal.")
    return Withdrawal(found["_id"], **{name: found[name] for name in FIELDS if name in found})
