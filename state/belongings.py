"""What a player has left behind in the stores: to be given to him, and to be taken away.

Messages and reports stay, without their author; so do postings, orders and stakes, which the
books need: with the character gone, the id in them is nobody's. What only serves the player
goes.
"""

from __future__ import annotations

from typing import Any

import orjson
from pymongo import UpdateOne

from game import economy
from game.chat import NOBODY
from state import messages
from state.connect import RedisStore, Script
from state.documents import Document, DocumentStore
from state.ledger import Books, Done, Ledger

UNSIGN = Script("chat_unsign")
BATCH = 500
SHOWN = 20_000  # of each kind in an export: some 10 MB; nobody's answer may fill the memory


class Belongings:
    """Over all collections, by player.

    All methods raise DependencyUnavailable when a store does not answer.
    """

    def __init__(self, documents: DocumentStore, redis: RedisStore, ledger: Ledger) -> None:
        self._documents = documents
        self._redis = redis
        self._ledger = ledger

    async def all_of(self, player_id: str) -> dict[str, list[Document]]:
        """Everything, by kind, the newest `SHOWN` of each."""
        his = {"player": player_id}
        return {
            "messages": await self._find("messages", {"from.id": player_id}),
            "ledger": await self._find("postings", {"accounts": economy.player(player_id)}),
            "ties": await self._find("ties", {"owner": player_id}),
            "boosts": await self._find("boosts", _keyed(player_id)),
            "robberies": await self._find("robberies", {"_id": player_id}),
            "inventory": await self._find("inventory", his),
            "orders": await self._find("orders", his),
            "batches": await self._find("batches", {"payer": player_id}),
            "withdrawals": await self._find("withdrawals", {"player_id": player_id}),
            # One that is being played has cards in it that its player must not see.
            "blackjack": [
                one for one in await self._find("blackjack", his) if "open_for" not in one
            ],
        }

    async def _find(self, collection: str, query: Document) -> list[Document]:
        newest = [("_id", -1)]
        return await self._documents.find(collection, query, sort=newest, limit=SHOWN)

    async def unsign(self, player_id: str) -> None:
        """Take his name off what he wrote and reported, in the rooms first."""
        rooms = await self._documents.call("messages", "distinct", "room", {"from.id": player_id})
        author = orjson.dumps(NOBODY)
        for room in rooms:
            await self._redis.run(UNSIGN, [messages.stream(room)], [player_id, author])
        await self._replace("messages", "from", player_id)
        await self._replace("reports", "message.from", player_id)
        await self._replace("reports", "reporter", player_id)

    async def _replace(self, collection: str, field: str, player_id: str) -> None:
        query = {f"{field}.id": player_id}
        while True:
            found = await self._documents.find(collection, query, sort=[("_id", 1)], limit=BATCH)
            update = {"$set": {field: NOBODY}}
            writes = [UpdateOne({"_id": one["_id"]}, update, hint="_id_") for one in found]
            if writes:
                await self._documents.call(collection, "bulk_write", writes, ordered=False)
            if len(writes) < BATCH:
                return

    async def burn(self, player_id: str) -> Done:
        """Take what is in his wallet out of the world."""
        account = economy.player(player_id)

        async def work(books: Books) -> None:
            wallet = await books.tx.call("wallets", "find_one", {"_id": account})
            if wallet and wallet["balance"]:
                entries = [(account, -wallet["balance"]), (economy.BURN, wallet["balance"])]
                movement = economy.movement("closed", player_id, entries)
                await books.post(movement, self._ledger.now())

        return await self._ledger.step(work)

    async def drop(self, player_id: str) -> None:
        """Take away what only he needs; what he bought stays counted, as the audit counts it."""
        empty: Any = {"$set": {"lots": []}}
        await self._documents.update_all("inventory", {"player": player_id}, empty)
        for collection in ("boosts", "requests"):
            await self._documents.delete_all(collection, _keyed(player_id))
        await self._documents.call("robberies", "delete_one", {"_id": player_id})


def _keyed(player_id: str) -> Document:
    """Ids that begin with his and a slash; `0` comes next after it."""
    return {"_id": {"$gte": f"{player_id}/", "$lt": f"{player_id}0"}}
