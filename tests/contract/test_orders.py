"""Orders on a real store: coins for money once, also when a crash comes in between."""

from __future__ import annotations

import asyncio

import pytest

from game.errors import IdempotencyMismatch, NotFound
from game.purchases import Order, Word
from state.documents import DocumentStore
from state.ledger import Books, Ledger
from state.orders import Orders, load_packs
from tests.contract.accounts_kit import Clock
from tests.contract.economy_kit import START, check_books, new_ledger


@pytest.fixture
async def ledger(documents: DocumentStore) -> Ledger:
    return await new_ledger(documents, Clock())


@pytest.fixture
def orders(documents: DocumentStore, ledger: Ledger) -> Orders:
    return Orders(documents, ledger, load_packs(None))


def said(order: Order, says: str = "paid") -> Word:
    assert says in ("paid", "refunded")
    pack = order.pack
    return Word(order.id, "paid" if says == "paid" else "refunded", pack.price, pack.currency)


async def test_one_key_orders_once(orders: Orders) -> None:
    made = await asyncio.gather(*(orders.create("ann", "purse", "k") for _ in range(20)))
    assert len({order.id for order in made}) == 1
    with pytest.raises(IdempotencyMismatch):
        await orders.create("ann", "chest", "k")
    with pytest.raises(NotFound):
        await orders.get(made[0].id, "bob")


async def test_coins_of_a_paid_order_that_a_crash_held_up_are_found_and_granted_once(
    orders: Orders, ledger: Ledger, documents: DocumentStore
) -> None:
    order = await orders.create("ann", "purse", "k")

    async def only_pay(books: Books, order: Order) -> Order:
        return await orders._pay(books, order, said(order))

    await orders._step(order.id, only_pay)  # and here the process ends
    assert await orders.paid() == [order.id]
    granted = await asyncio.gather(*(orders.grant(order.id) for _ in range(10)))
    assert sum(bool([p for p in one.postings if p.reason == "purchase"]) for one in granted) == 1
    assert await orders.paid() == []
    assert await ledger.balance("ann") == START + order.pack.coins
    await check_books(documents)


async def test_paid_and_refunded_at_once_ends_refunded_and_with_the_books_right(
    orders: Orders, ledger: Ledger, documents: DocumentStore
) -> None:
    order = await orders.create("ann", "purse", "k")
    words = [said(order), said(order, "refunded")] * 5
    await asyncio.gather(*(orders.heard(word) for word in words))
    assert (await orders.get(order.id)).status == "refunded"
    assert await ledger.balance("ann") == START
    await check_books(documents)
