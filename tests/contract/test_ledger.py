"""The ledger on a real store, with both drivers: whole, once, and never below zero."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from game import economy as rules
from game.errors import Conflict, IdempotencyMismatch, InsufficientFunds, StaleVersion
from state.documents import DocumentStore, Transaction
from state.ledger import Books, Done, Ledger
from tests.contract.accounts_kit import Clock, second_documents
from tests.contract.economy_kit import (
    SETTINGS,
    START,
    all_postings,
    balances,
    check_books,
    new_ledger,
    reasons,
    send,
)
from tests.fixtures import Stores


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(documents: DocumentStore, clock: Clock) -> Ledger:
    return await new_ledger(documents, clock)


@pytest.fixture
async def elsewhere(
    stores: Stores, request: pytest.FixtureRequest, ledger: Ledger, clock: Clock
) -> AsyncIterator[Ledger]:
    """The same books on another node."""
    assert ledger is not None
    async with second_documents(stores, request) as documents:
        yield Ledger(documents, SETTINGS, clock)


async def test_a_new_player_gets_his_first_coins_once_however_many_look(
    ledger: Ledger, elsewhere: Ledger, documents: DocumentStore
) -> None:
    looks = [node.balance("ann") for node in (ledger, elsewhere) for _ in range(20)]
    assert set(await asyncio.gather(*looks)) == {START}
    assert len(await all_postings(documents)) == 1
    assert await balances(documents) == {"player:ann": START}


async def test_a_transfer_moves_coins_between_players_who_were_never_seen(
    ledger: Ledger, documents: DocumentStore
) -> None:
    done = await send(ledger, "ann", "bob", 300, "k")
    assert done.answer == {"balance": START - 300}
    assert reasons(done.postings) == ["start", "start", "transfer"]
    assert await ledger.balance("bob") == START + 300
    await check_books(documents)


async def test_a_refused_movement_writes_nothing_and_its_key_stays_free(
    ledger: Ledger, documents: DocumentStore
) -> None:
    with pytest.raises(InsufficientFunds):
        await send(ledger, "ann", "bob", START + 1, "k")
    assert await all_postings(documents) == []
    await send(ledger, "bob", "ann", 1, "k")
    assert (await send(ledger, "ann", "bob", START + 1, "k")).answer == {"balance": 0}


async def test_a_hundred_uses_of_one_key_on_two_nodes_are_one_posting(
    ledger: Ledger, elsewhere: Ledger, documents: DocumentStore
) -> None:
    tries = [send(node, "ann", "bob", 10, "k") for node in (ledger, elsewhere) for _ in range(50)]
    done = await asyncio.gather(*tries)
    assert [one.answer for one in done] == [{"balance": START - 10}] * 100
    assert sum("transfer" in reasons(one.postings) for one in done) == 1
    assert await ledger.balance("bob") == START + 10
    await check_books(documents)


async def test_a_key_with_another_body_is_refused(ledger: Ledger) -> None:
    await send(ledger, "ann", "bob", 10, "k")
    with pytest.raises(IdempotencyMismatch):
        await send(ledger, "ann", "bob", 11, "k")
    await send(ledger, "bob", "ann", 11, "k")  # a key is its owner's alone


async def insist(node: Ledger, sender: str, to: str, amount: int, key: str) -> Done:
    """As a client does: whoever gave up because others were faster asks again."""
    while True:
        try:
            return await send(node, sender, to, amount, key)
        except StaleVersion:
            continue


async def test_spending_the_same_coins_in_parallel_never_goes_below_zero(
    ledger: Ledger, elsewhere: Ledger, documents: DocumentStore
) -> None:
    tries = [
        insist(node, "ann", "bob", 90, f"{i}{j}")
        for i, node in enumerate((ledger, elsewhere))
        for j in range(15)
    ]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    paid = START // 90
    assert Counter(map(type, outcomes)) == {Done: paid, InsufficientFunds: len(tries) - paid}
    assert await ledger.balance("ann") == START % 90
    await check_books(documents)


async def test_more_than_64_bits_are_refused(ledger: Ledger, documents: DocumentStore) -> None:
    account = rules.player("ann")

    async def gift(books: Books) -> None:
        entries = [(rules.MINT, -rules.INT64_MAX), (account, rules.INT64_MAX)]
        await books.post(rules.movement("start", "", entries), ledger.now())

    await ledger.balance("ann")
    with pytest.raises(Conflict):
        await ledger.step(gift)
    assert await ledger.balance("ann") == START
    await check_books(documents)


async def test_pages_of_the_ledger_are_complete_and_end(ledger: Ledger, clock: Clock) -> None:
    for number in range(7):
        clock.forward(1)
        await send(ledger, "ann", "bob", number + 1, f"k{number}")
    seen, before = [], None
    while True:
        page = await ledger.page("ann", before, 3)
        seen += [posting.changes[0].amount for posting in page.postings]
        before = page.next_before
        if before is None:
            break
    assert seen == [-7, -6, -5, -4, -3, -2, -1, -START]
    assert (await ledger.page("eve", None, 3)).postings == []


async def test_what_was_told_leaves_the_outbox_and_what_was_not_stays(
    ledger: Ledger, clock: Clock
) -> None:
    done = await send(ledger, "ann", "bob", 1, "k")
    assert await ledger.untold() == []  # its own node is still telling
    clock.forward(10)
    assert await ledger.untold() == list(done.postings)
    ledger.told([done.postings[0].id, done.postings[1].id])
    await ledger.save_told()
    assert await ledger.untold() == [done.postings[2]]


async def test_an_error_within_a_transaction_leaves_nothing(documents: DocumentStore) -> None:
    async def work(tx: Transaction) -> None:
        await tx.call("things", "insert_one", {"_id": 1})
        assert await tx.call("things", "find_one", {"_id": 1})
        raise Conflict

    await documents.make("things")
    with pytest.raises(Conflict):
        await documents.transaction(work)
    assert await documents.call("things", "find_one", {}) is None


async def test_a_transaction_cut_off_midway_leaves_nothing_and_holds_nobody_up(
    documents: DocumentStore,
) -> None:
    inside = asyncio.Event()

    async def stuck(tx: Transaction) -> None:
        await tx.call("things", "insert_one", {"_id": 1})
        inside.set()
        await asyncio.Event().wait()

    async def quick(tx: Transaction) -> None:
        await tx.call("things", "insert_one", {"_id": 1})

    await documents.make("things")
    task = asyncio.create_task(documents.transaction(stuck))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await documents.transaction(quick)


async def test_what_a_dead_process_locked_can_be_freed(
    documents: DocumentStore, stores: Stores, request: pytest.FixtureRequest
) -> None:
    inside = asyncio.Event()

    async def stuck(tx: Transaction) -> None:
        await tx.call("things", "update_one", {"_id": 1}, {"$inc": {"n": 1}})
        inside.set()
        await asyncio.Event().wait()

    async def quick(tx: Transaction) -> None:
        await tx.call("things", "update_one", {"_id": 1}, {"$inc": {"n": 1}})

    await documents.call("things", "insert_one", {"_id": 1, "n": 0})
    async with second_documents(stores, request) as dead:
        task = asyncio.create_task(dead.transaction(stuck))
        await inside.wait()
        await documents.free_locks()
        await documents.transaction(quick)
        task.cancel()
    assert (await documents.call("things", "find_one", {}))["n"] == 1


@pytest.mark.parametrize("then", ["read", "write", "commit"])
async def test_a_living_transaction_that_was_ended_is_tried_again(
    documents: DocumentStore, then: str
) -> None:
    tries = 0

    async def ended(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        await tx.call("things", "update_one", {"_id": 1}, {"$inc": {"n": 1}})
        if tries == 1:
            await documents.free_locks()
        if then == "read":
            await tx.call("things", "find_one", {"_id": 1})
        if then == "write":
            await tx.call("things", "update_one", {"_id": 1}, {"$inc": {"m": 1}})

    await documents.call("things", "insert_one", {"_id": 1, "n": 0})
    await documents.transaction(ended)
    assert ((await documents.call("things", "find_one", {}))["n"], tries) == (1, 2)


async def test_what_is_asked_all_the_time_is_answered_by_an_index(
    ledger: Ledger, documents: DocumentStore
) -> None:
    assert ledger.starting_balance
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        ("wallets", {"_id": "player:ann"}),
        ("requests", {"_id": "ann/k"}),
        ("postings", {"accounts": "player:ann", "_id": {"$lt": "f"}}),
        ("postings", {"untold": {"$lt": 5}}),
        ("inventory", {"player": "ann"}),
        ("boosts", {"_id": {"$in": ["ann/luck", "ann/shield"]}}),
        ("blackjack", {"open_for": "ann"}),
        ("blackjack", {"due_at": {"$lte": 5}}),
        ("stakes", {"check_at": {"$lte": 5}}),
        ("orders", {"grant_at": {"$lte": 5}}),
        ("batches", {"check_at": {"$lte": 5}}),
        ("batch_items", {"_id": {"$in": ["b/0000", "b/0001"]}}),
        ("withdrawals", {"check_at": {"$lte": 5}}),
        ("withdrawals", {"status": "held", "_id": {"$lt": "f"}}),
        ("tabs", {"_id": "batches/ann"}),
    )
    for collection, query in asked:
        command = {"explain": {"find": collection, "filter": query}}
        plan = await documents._database.command(command)
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), (collection, query)
