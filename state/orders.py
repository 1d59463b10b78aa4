"""Orders of coins for money, and the packs that can be ordered.

| collection | document | indexes |
| --- | --- | --- |
| `orders` | `{_id, player, pack, status, created_at, url, taken, grant_at?}` | a |

a: `grant_at`, sparse: paid orders whose coins are due, for whoever finds them.

The coins come from the mint, under the order's id, and go back to it with a refund.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.settings import SettingsError
from game import economy
from game import purchases as rules
from game.errors import NotFound
from game.purchases import Order, Pack, Word
from state.documents import Document, DocumentStore
from state.ids import new_id
from state.ledger import Books, Done, Ledger

BUNDLED = Path(__file__).parents[1] / "config" / "packs.json"
BATCH = 50


class _Pack(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    name: Annotated[str, Field(min_length=1, max_length=40)]
    coins: Annotated[int, Field(ge=1, le=economy.INT64_MAX // 1_000_000)]
    price: Annotated[int, Field(ge=1, le=99_999_999)]  # Stripe's most: eight digits


class _Packs(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: Annotated[str, Field(pattern=r"^[a-z]{3}$")]
    packs: tuple[_Pack, ...]


def load_packs(path: Path | None) -> dict[str, Pack]:
    """The packs of a file, or of the one that comes with the server, by id.

    Raises:
        SettingsError: there is no such file, or something in it is wrong.
    """
    try:
        read = _Packs.model_validate_json((path or BUNDLED).read_bytes())
    except (OSError, ValidationError) as error:
        raise SettingsError(f"SHOWDOWN_PURCHASES__PACKS_FILE: {error}") from None
    return {one.id: Pack(**one.model_dump(), currency=read.currency) for one in read.packs}


class Orders:
    """The orders of all players."""

    def __init__(self, documents: DocumentStore, ledger: Ledger, packs: dict[str, Pack]) -> None:
        self._documents = documents
        self._ledger = ledger
        self.packs = packs

    async def create(self, player_id: str, pack_id: str, key: str) -> Order:
        """A new order, or the one that this key made.

        Raises:
            NotFound: there is no such pack.
            IdempotencyMismatch: the key was used for something else.
        """
        if pack_id not in self.packs:
            raise NotFound("There is no such pack.")
        order = Order(new_id(), player_id, self.packs[pack_id], self._ledger.now())

        async def work(books: Books) -> str:
            await books.tx.call("orders", "insert_one", _document(order))
            return order.id

        body = ["purchase:create", pack_id]
        done = await self._ledger.once(player_id, key, body, work)
        return await self.get(done.answer)

    async def get(self, order_id: str, player_id: str | None = None) -> Order:
        """One order, of this player if one is named.

        Raises:
            NotFound: there is none.
        """
        found = await self._documents.call("orders", "find_one", {"_id": order_id})
        if found is None or player_id not in (None, found["player"]):
            raise NotFound("There is no such order.")
        return _order(found)

    async def open(self, order: Order, url: str | None) -> Order:
        """Note where the player pays."""
        update = {"$set": {"url": url}}
        await self._documents.call("orders", "update_one", {"_id": order.id}, update, hint="_id_")
        return replace(order, url=url)

    async def heard(self, word: Word) -> Done:
        """Do what a provider's word calls for; the answer is the order as it is then.

        Raises:
            NotFound: there is no such order.
            Conflict: another amount was paid than was asked for.
        """
        if word.says == "refunded":
            return await self._step(word.order_id, self._refund)
        await self._step(word.order_id, lambda books, order: self._pay(books, order, word))
        return await self.grant(word.order_id)

    async def grant(self, order_id: str) -> Done:
        """Put the coins of a paid order into the wallet, once."""
        return await self._step(order_id, self._grant)

    async def paid(self) -> list[str]:
        """Orders that were paid, and whose coins a crash held up."""
        query = {"grant_at": {"$lte": self._ledger.now()}}
        found = await self._documents.find("orders", query, sort=[("grant_at", 1)], limit=BATCH)
        return [one["_id"] for one in found]

    # Inside

    async def _step(self, order_id: str, rule: Callable[[Books, Order], Any]) -> Done:
        async def work(books: Books) -> Order:
            found = await books.tx.call("orders", "find_one", {"_id": order_id})
            if found is None:
                raise NotFound("There is no such order.")
            before = _order(found)
            after: Order = await rule(books, before)
            if after is not before:
                document = _document(after)
                if after.status == "paid":
                    document["grant_at"] = self._ledger.now()
                which = {"_id": order_id}
                await books.tx.call("orders", "replace_one", which, document, hint="_id_")
            return after

        return await self._ledger.step(work)

    async def _pay(self, _: Books, order: Order, word: Word) -> Order:
        return rules.pay(order, word)

    async def _grant(self, books: Books, order: Order) -> Order:
        after = rules.grant(order)
        if after is not order:
            await self._post(books, order, "purchase", order.pack.coins)
        return after

    async def _refund(self, books: Books, order: Order) -> Order:
        after = rules.refund(order, await books.balance(order.player_id))
        if after is not order and after.taken:
            await self._post(books, order, "refund", -after.taken)
        return after

    async def _post(self, books: Books, order: Order, reason: economy.Reason, amount: int) -> None:
        entries = [(economy.player(order.player_id), amount)]
        entries.append((economy.MINT, -amount))
        movement = economy.movement(reason, order.id, entries)
        await books.post(movement, self._ledger.now(), once=f"{reason}:{order.id}")


def _document(order: Order) -> Document:
    fields = asdict(order)
    return {"_id": fields.pop("id"), "player": fields.pop("player_id"), **fields}


def _order(found: Document) -> Order:
    kept = ("created_at", "status", "url", "taken")
    fields = {name: found[name] for name in kept}
    return Order(found["_id"], found["player"], Pack(**found["pack"]), **fields)
