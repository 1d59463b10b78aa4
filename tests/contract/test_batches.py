"""Batches on a real store: each item has one result, whoever tries it how often."""

from __future__ import annotations

import asyncio

import pytest

from config.sections import Economy
from game.errors import Conflict, IdempotencyMismatch, InsufficientFunds, NotFound
from game.transfers import Batch, Item, Tally, tally
from state.batches import FIRST_LOOK_MS, Batches
from state.documents import DocumentStore
from state.ledger import Ledger
from tests.contract.accounts_kit import Clock
from tests.contract.economy_kit import START, check_books, new_ledger

OPEN = 3


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(documents: DocumentStore, clock: Clock) -> Ledger:
    return await new_ledger(documents, clock)


@pytest.fixture
def batches(documents: DocumentStore, ledger: Ledger) -> Batches:
    settings = Economy(open_batches=OPEN, transfer_fee_permille=100, transfer_daily=800)
    return Batches(documents, ledger, settings)


async def ordered(batches: Batches, *amounts: int, key: str = "k", payer: str = "ann") -> Batch:
    items = [Item(index, "bob", amount, "") for index, amount in enumerate(amounts)]
    return await batches.create(batches.new(payer, "acc", "", len(items)), items, key)


async def test_one_key_makes_one_batch_and_a_payer_has_so_many_open(
    batches: Batches, clock: Clock
) -> None:
    made = await asyncio.gather(*(ordered(batches, 1, 2) for _ in range(10)))
    assert len({batch.id for batch in made}) == 1
    with pytest.raises(IdempotencyMismatch):
        await ordered(batches, 1, 3)
    tries = [ordered(batches, 1, key=f"k{n}") for n in range(8)]
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(end, Batch) for end in ends) == OPEN - 1
    assert {type(end) for end in ends} == {Batch, Conflict}
    assert (await ordered(batches, 1, 2)).id == made[0].id
    await ordered(batches, 1, payer="house")
    assert await batches.left() == []
    clock.forward(FIRST_LOOK_MS / 1000)
    left = await batches.left()
    assert made[0].id in left
    await batches.look_later(made[0].id)
    assert set(left) - set(await batches.left()) == {made[0].id}


async def test_an_item_is_paid_once_whoever_tries(
    batches: Batches, ledger: Ledger, documents: DocumentStore
) -> None:
    batch = await ordered(batches, 100, 10)
    items = await batches.items(batch.id)
    await asyncio.gather(*(batches.pay(batch, item) for item in items for _ in range(5)))
    counts = tally(await batches.items(batch.id))
    assert counts == Tally(paid=2, amount=110)
    assert await ledger.balance("ann") == START - 110 - 11
    assert await ledger.balance("bob") == START + 110
    over = await batches.note(batch.id, counts)
    assert (over.status, over.ended_at is not None) == ("done", True)
    assert await batches.note(batch.id, Tally()) == over
    with pytest.raises(Conflict):
        await batches.cancel(batch.id)
    (last,) = await batches.items(batch.id, first=1)
    assert (last.status, last.entry_id is not None) == ("paid", True)
    await check_books(documents)


async def test_what_cannot_be_paid_changes_nothing(
    batches: Batches, ledger: Ledger, documents: DocumentStore
) -> None:
    batch = await ordered(batches, START, 900, 1)
    poor, above, one = await batches.items(batch.id)
    with pytest.raises(InsufficientFunds):  # the fee is too much
        await batches.pay(batch, poor)
    with pytest.raises(Conflict):
        await batches.pay(batch, above)
    refused = await batches.refuse(batch, poor, "insufficient_funds")
    assert (refused.status, refused.code) == ("refused", "insufficient_funds")
    assert (await batches.pay(batch, poor)).answer == refused
    await batches.pay(batch, one)
    assert (await batches.refuse(batch, one, "conflict")).status == "paid"
    assert await ledger.balance("ann") == START - 2
    await check_books(documents)


async def test_nothing_is_begun_after_a_cancel(batches: Batches, ledger: Ledger) -> None:
    batch = await ordered(batches, 1, 2, 3, payer="house")
    first, *rest = await batches.items(batch.id)
    await batches.pay(batch, first)
    assert (await batches.cancel(batch.id)).status == "cancelling"
    assert (await batches.cancel(batch.id)).status == "cancelling"
    for item in rest:
        assert (await batches.pay(batch, item)).answer.status == "cancelled"
    counts = tally(await batches.items(batch.id))
    assert counts == Tally(paid=1, cancelled=2, amount=1)
    assert (await batches.note(batch.id, counts)).status == "cancelled"
    assert await ledger.balance("bob") == START + 1
    with pytest.raises(NotFound):
        await batches.cancel("nobody")


async def test_old_batches_go_with_their_items(
    batches: Batches, documents: DocumentStore, clock: Clock
) -> None:
    old, kept = await ordered(batches, 1), await ordered(batches, 1, key="other")
    given = await ordered(batches, 1, payer="house")
    for batch in (old, given):
        await batches.note(batch.id, Tally(refused=1))
    assert await batches.drop_ended(clock()) == 0
    clock.forward(1)
    assert await batches.drop_ended(clock()) == 1
    assert await batches.items(old.id) == []
    assert len(await batches.items(kept.id)) == 1
    assert await documents.call("batches", "count_documents", {}) == 2
