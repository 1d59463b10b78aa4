"""Games of blackjack: each step is stored with the money that it moves, in one transaction.

| collection | document | indexes |
| --- | --- | --- |
| `blackjack` | `{_id, player, game, version, started_at, open_for?, due_at?, ended_at?}` | a |

a: `open_for`, unique and sparse: the player whose open game it is, of which he has one;
`due_at`, sparse: when an open game that nobody touches is given back.

Bets are in the account `escrow:blackjack:<id>` until the game is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from config.sections import Blackjack as BlackjackSettings
from game import blackjack as rules
from game import economy
from game.blackjack import Game
from game.errors import Conflict, NotFound
from state.documents import Document, DocumentStore
from state.ids import new_id
from state.ledger import Books, Done, Ledger

BATCH = 50  # games given back in one look

View = Callable[["Table"], Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A game as it is stored; `balance` is the player's after the step that made it so."""

    id: str
    player_id: str
    game: Game
    version: int
    due_at: int | None
    balance: int = 0


class Blackjack:
    """The games of all players; `view` is what of a table is the answer of a request."""

    def __init__(
        self, documents: DocumentStore, ledger: Ledger, settings: BlackjackSettings
    ) -> None:
        self._documents = documents
        self._ledger = ledger
        self._idle_ms = settings.idle_seconds * 1000

    async def start(self, player_id: str, bet: int, seed: str, key: str, view: View) -> Done:
        """Take the bet and deal.

        Raises:
            Conflict: the player has an open game.
            InsufficientFunds: he has less than the bet.
            IdempotencyMismatch: the key was used for something else.
        """
        game_id = new_id()

        async def work(books: Books) -> Any:
            query = {"open_for": player_id}
            if await books.tx.call("blackjack", "find_one", query):
                raise Conflict("You have a game that is not over.")
            now = self._ledger.now()
            await books.tx.call("blackjack", "insert_one", {"_id": game_id, "started_at": now})
            table = Table(game_id, player_id, rules.start(seed, bet), 1, None)
            return view(await self._save(books, table, before=0))

        return await self._ledger.once(player_id, key, ["blackjack:start", bet], work)

    async def step(
        self,
        player_id: str,
        game_id: str | None,
        key: str,
        what: str,
        rule: Callable[[Game], Game],
        view: View,
    ) -> Done:
        """Go on with a game, or the open one; what it costs more is taken in the same step.

        Raises:
            NotFound: the player has no such game.
            Conflict: the rule says so.
            InsufficientFunds: he cannot pay what the step costs.
            IdempotencyMismatch: the key was used for something else.
        """

        async def work(books: Books) -> Any:
            found = await books.tx.call("blackjack", "find_one", _which(player_id, game_id))
            table = _table(found, player_id)
            return view(await self._advance(books, table, rule))

        return await self._ledger.once(player_id, key, ["blackjack", what, game_id], work)

    async def get(self, player_id: str, game_id: str | None) -> Table | None:
        """One game of a player, or the one that is open, if any.

        Raises:
            NotFound: the player has no such game.
        """
        which = _which(player_id, game_id)
        found = await self._documents.call("blackjack", "find_one", which)
        return None if game_id is None and found is None else _table(found, player_id)

    async def give_back(self) -> list[tuple[Table, Done]]:
        """Give back what is in games that were left alone for too long, each of them once."""
        query = {"due_at": {"$lte": self._ledger.now()}}
        found = await self._documents.find("blackjack", query, sort=[("due_at", 1)], limit=BATCH)
        return [one for document in found if (one := await self._give_back(document["_id"]))]

    async def _give_back(self, game_id: str) -> tuple[Table, Done] | None:
        async def work(books: Books) -> Table | None:
            found = await books.tx.call("blackjack", "find_one", {"_id": game_id})
            if found.get("due_at", self._ledger.now() + 1) > self._ledger.now():
                return None  # played, or given back, by somebody who was faster
            return await self._advance(books, _table(found, found["player"]), rules.refund)

        done = await self._ledger.step(work)
        return (done.answer, done) if done.answer else None

    # Inside

    async def _advance(self, books: Books, table: Table, rule: Callable[[Game], Game]) -> Table:
        after = Table(table.id, table.player_id, rule(table.game), table.version + 1, None)
        return await self._save(books, after, before=table.game.staked)

    async def _save(self, books: Books, table: Table, *, before: int) -> Table:
        """Store a step and move its money; `before` is what was staked until now."""
        await self._stake(books, table, table.game.staked - before)
        if table.game.over:
            await self._settle(books, table)
        now = self._ledger.now()
        document: Document = {
            "player": table.player_id,
            "game": rules.to_dict(table.game),
            "version": table.version,
        }
        if table.game.over:
            update: Document = {
                "$set": {**document, "ended_at": now},
                "$unset": {"open_for": 1, "due_at": 1},
            }
        else:
            due_at = now + self._idle_ms
            update = {"$set": {**document, "open_for": table.player_id, "due_at": due_at}}
        await books.tx.call("blackjack", "update_one", {"_id": table.id}, update, hint="_id_")
        balance = await books.balance(table.player_id)
        due = None if table.game.over else now + self._idle_ms
        return Table(table.id, table.player_id, table.game, table.version, due, balance)

    async def _stake(self, books: Books, table: Table, amount: int) -> None:
        if amount:
            mine = economy.player(table.player_id)
            entries = [(mine, -amount), (_escrow(table.id), amount)]
            await self._post(books, "blackjack_bet", table.id, entries)

    async def _settle(self, books: Books, table: Table) -> None:
        """Out of escrow to whom it belongs; what is won comes from the house."""
        staked, paid = table.game.staked, rules.payout(table.game)
        refunded = table.game.status == "refunded"
        entries = [(_escrow(table.id), -staked), (economy.player(table.player_id), paid)]
        entries.append((economy.HOUSE, staked - paid))
        reason: economy.Reason = "blackjack_refund" if refunded else "blackjack_end"
        await self._post(books, reason, table.id, entries)

    async def _post(
        self, books: Books, reason: economy.Reason, ref: str, entries: list[tuple[str, int]]
    ) -> None:
        await books.post(economy.movement(reason, ref, entries), self._ledger.now())


def _escrow(game_id: str) -> str:
    return economy.escrow("blackjack", game_id)


def _which(player_id: str, game_id: str | None) -> Document:
    return {"open_for": player_id} if game_id is None else {"_id": game_id}


def _table(found: Document | None, player_id: str) -> Table:
    if found is None or found["player"] != player_id:
        raise NotFound("You have no such game.")
    game = rules.from_dict(found["game"])
    return Table(found["_id"], player_id, game, found["version"], found.get("due_at"))
