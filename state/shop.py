"""The shop's stock, what players own, and what works for them at the moment.

| collection | document | indexes |
| --- | --- | --- |
| `stock` | `{_id: item, sold}` | none |
| `inventory` | `{_id: "<player>/<item>", player, item, bought, lots: [{count, expires_at}]}` | `player` |
| `boosts` | `{_id: "<player>/<kind>", until, percent}` | none |

A purchase is one transaction over wallet, stock and inventory. The ref of its posting is
`<item>*<count>`, so that the audit can compare `bought` with what was paid for.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from game import economy
from game import shop as rules
from game.errors import NotFound
from game.shop import Boost, BoostKind, Item, Lot
from state.documents import Document, DocumentStore, Transaction
from state.ledger import Books, Done, Ledger

KINDS: tuple[BoostKind, ...] = get_args(BoostKind)


@dataclass(frozen=True, slots=True)
class Owned:
    """What a player owns of one item, and how many he has ever bought."""

    item: str
    lots: tuple[Lot, ...] = ()
    bought: int = 0


class Shop:
    """Buying, owning, using, selling.

    All methods raise NotFound for an item that the shop does not know.
    """

    def __init__(self, documents: DocumentStore, ledger: Ledger, items: Mapping[str, Item]) -> None:
        self._documents = documents
        self._ledger = ledger
        self.items = items

    def item(self, item_id: str) -> Item:
        """What is known of an item."""
        if item_id not in self.items:
            raise NotFound("There is no such item.")
        return self.items[item_id]

    async def sold(self) -> dict[str, int]:
        """How many were sold of the items that have a stock."""
        limited = [item.id for item in self.items.values() if item.stock is not None]
        query = {"_id": {"$in": limited}}
        found = await self._documents.find("stock", query, sort=[("_id", 1)], limit=len(self.items))
        return {one["_id"]: one["sold"] for one in found}

    async def inventory(self, player_id: str) -> list[Owned]:
        """What a player owns, expired lots left out; what he has none of stays for its count."""
        query, most = {"player": player_id}, 10_000  # as many as there ever were items
        found = await self._documents.find("inventory", query, sort=[("_id", 1)], limit=most)
        return [_owned(one["item"], one, self._ledger.now()) for one in found]

    async def boosts(self, player_id: str) -> dict[BoostKind, Boost]:
        """What works for a player now."""
        query = {"_id": {"$in": [_id(player_id, kind) for kind in KINDS]}}
        found = await self._documents.find("boosts", query, sort=[("_id", 1)], limit=len(KINDS))
        by_id = {one["_id"]: _boost(one) for one in found}
        boosts = {kind: by_id.get(_id(player_id, kind), Boost()) for kind in KINDS}
        return {kind: one for kind, one in boosts.items() if one.until > self._ledger.now()}

    async def buy(self, player_id: str, item_id: str, number: int, key: str) -> Done:
        """Buy so many; the answer is the new balance, the price, and what is owned now.

        Raises:
            InsufficientFunds: they cost more than the player has.
            Conflict: there are not so many left, for him or at all.
        """
        item = self.item(item_id)

        async def work(books: Books) -> Any:
            at = self._ledger.now()
            owned = await self._read(books.tx, player_id, item_id, at)
            sold = await self._sold(books.tx, item)
            # Before anything is written: who comes too late must hold nobody up.
            price = rules.sell(item, number, sold=sold, bought=owned.bought, at=at)
            if item.stock is not None:
                await _save(books.tx, "stock", {"_id": item.id, "sold": sold + number})
            lots = rules.add(owned.lots, item, number, at)
            after = Owned(item_id, lots, owned.bought + number)
            await self._write(books.tx, player_id, after)
            balance = await self._pay(books, player_id, "shop_buy", -price, item, number)
            return {"balance": balance, "price": price, "owned": rules.count(lots)}

        return await self._ledger.once(player_id, key, ["shop:buy", item_id, number], work)

    async def sell(self, player_id: str, item_id: str, number: int, key: str) -> Done:
        """Give so many back; the answer is the new balance, the price, and what is left.

        Raises:
            Conflict: the shop does not take them, or the player has not so many.
        """
        item = self.item(item_id)

        async def work(books: Books) -> Any:
            paid = rules.resale(item, number)
            left = await self._take(books.tx, player_id, item_id, number)
            balance = await self._pay(books, player_id, "shop_sell", paid, item, number)
            return {"balance": balance, "price": paid, "owned": left}

        return await self._ledger.once(player_id, key, ["inventory:sell", item_id, number], work)

    async def use(self, player_id: str, item_id: str, key: str) -> Done:
        """Use one; the answer is the boost as it is now, and what is left.

        Raises:
            Conflict: it has no use, the player has none, or another strength is working.
        """
        item = self.item(item_id)

        async def work(books: Books) -> Any:
            left = await self._take(books.tx, player_id, item_id, 1)
            kind = item.effect.kind if item.effect else KINDS[0]
            before = await read_boost(books.tx, player_id, kind)
            after = rules.boost(before, item, self._ledger.now())
            await _save(books.tx, "boosts", {"_id": _id(player_id, kind), **asdict(after)})
            return {"kind": kind, **asdict(after), "owned": left}

        return await self._ledger.once(player_id, key, ["inventory:use", item_id], work)

    # Inside

    async def _sold(self, tx: Transaction, item: Item) -> int:
        """How many were sold; only what has a stock is counted, since all meet there."""
        if item.stock is None:
            return 0
        found = await tx.call("stock", "find_one", {"_id": item.id})
        return int(found["sold"]) if found else 0

    async def _take(self, tx: Transaction, player_id: str, item_id: str, number: int) -> int:
        at = self._ledger.now()
        owned = await self._read(tx, player_id, item_id, at)
        lots = rules.take(owned.lots, number, at)
        await self._write(tx, player_id, Owned(item_id, lots, owned.bought))
        return rules.count(lots)

    async def _pay(
        self,
        books: Books,
        player_id: str,
        reason: economy.Reason,
        amount: int,
        item: Item,
        number: int,
    ) -> int:
        mine = economy.player(player_id)
        entries = [(mine, amount), (economy.HOUSE, -amount)]
        movement = economy.movement(reason, f"{item.id}*{number}", entries)
        return (await books.post(movement, self._ledger.now())).balance(mine)

    async def _read(self, tx: Transaction, player_id: str, item_id: str, at: int) -> Owned:
        found = await tx.call("inventory", "find_one", {"_id": _id(player_id, item_id)})
        return _owned(item_id, found, at)

    async def _write(self, tx: Transaction, player_id: str, owned: Owned) -> None:
        document = {
            "_id": _id(player_id, owned.item),
            "player": player_id,
            "item": owned.item,
            "bought": owned.bought,
            "lots": [asdict(lot) for lot in owned.lots],
        }
        await _save(tx, "inventory", document)


async def read_boost(tx: Transaction, player_id: str, kind: BoostKind) -> Boost:
    """A boost within a transaction, also one that is over."""
    found = await tx.call("boosts", "find_one", {"_id": _id(player_id, kind)})
    return _boost(found) if found else Boost()


async def _save(tx: Transaction, collection: str, document: Document) -> None:
    which = {"_id": document["_id"]}
    await tx.call(collection, "replace_one", which, document, upsert=True, hint="_id_")


def _id(player_id: str, what: str) -> str:
    return f"{player_id}/{what}"


def _owned(item_id: str, found: Document | None, at: int) -> Owned:
    if found is None:
        return Owned(item_id)
    lots = rules.live((Lot(**lot) for lot in found["lots"]), at)
    return Owned(item_id, lots, found["bought"])


def _boost(found: Document) -> Boost:
    return Boost(found["until"], found["percent"])
