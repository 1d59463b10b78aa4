"""The audit finds each fault that was put into the books, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from game import blackjack as blackjack_rules
from game import duels as duel_rules
from game.purchases import Word
from game.transfers import Item, tally
from game.withdrawals import Verdict
from state.audit import Audit, Report
from state.batches import Batches
from state.blackjack import Blackjack
from state.connect import RedisStore
from state.documents import DocumentStore
from state.duels import Duels
from state.goods import load
from state.ledger import Ledger
from state.orders import Orders, load_packs
from state.robberies import Robberies
from state.shop import Shop
from state.stakes import Stakes
from state.withdrawals import Withdrawals
from tests.contract.accounts_kit import Clock
from tests.contract.economy_kit import SETTINGS, START, new_ledger, send
from tests.sizes import DRIVERS
from tests.unit.test_blackjack import seed_of

pytestmark = pytest.mark.parametrize("documents", DRIVERS, indirect=True)


@pytest.fixture
async def books(documents: DocumentStore, redis: RedisStore) -> DocumentStore:
    """Books in which everything has happened, with a game and a duel that are not over."""
    ledger = await new_ledger(documents, Clock())
    shop = Shop(documents, ledger, load(None))
    await send(ledger, "ann", "bob", 10, "k")
    await shop.buy("ann", "padlock", 2, "b")
    await shop.use("ann", "padlock", "u")
    await shop.sell("ann", "padlock", 1, "s")
    await shop.buy("bob", "lockpick", 1, "b")
    await Robberies(ledger, SETTINGS.rob).attempt("bob", "eve", "r", (0, 0))
    await deal(Blackjack(documents, ledger, SETTINGS.blackjack))
    duel = duel_rules.challenge(
        "d1", ("ann", "A"), ("bob", "B"), "s", 0, duel_rules.Rules(), stake=50
    )
    await Stakes(documents, ledger, Duels(redis, SETTINGS)).hold(duel)
    withdrawals = Withdrawals(documents, ledger, SETTINGS.economy)
    for verdict in (None, Verdict("confirmed"), Verdict("failed")):
        one = (await withdrawals.create("ann", "acc", "there", 7, f"w {verdict}")).answer
        if verdict:
            await withdrawals.heard(await withdrawals.get(one), verdict)
    return documents


async def deal(blackjack: Blackjack) -> None:
    seed = seed_of(("8", "6", "8", "."))
    done = await blackjack.start("eve", 20, seed, "k", lambda table: table.id)
    split: Callable[[Any], Any] = lambda game: blackjack_rules.act(game, "split")  # noqa: E731
    await blackjack.step("eve", done.answer, "s", "split", split, lambda table: table.id)


async def audited(books: DocumentStore) -> Report:
    return await Audit(books).run()


def kinds(report: Report) -> dict[str, str]:
    return {finding.kind: finding.subject for finding in report.findings}


async def test_books_without_a_fault_are_clean(books: DocumentStore) -> None:
    report = await audited(books)
    assert report.ok, report
    assert report.minted == 3 * START - 7  # what was withdrawn
    assert (report.items, report.postings >= 10) == (2, True)


async def test_a_changed_balance(books: DocumentStore) -> None:
    which, change = {"_id": "player:ann"}, {"$inc": {"balance": 1}}
    await books.call("wallets", "update_one", which, change, hint="_id_")
    report = await audited(books)
    (finding,) = report.findings
    assert (finding.kind, finding.subject) == ("balance_mismatch", "player:ann")
    assert finding.found == (finding.expected or 0) + 1


async def test_a_balance_below_zero(books: DocumentStore) -> None:
    which, change = {"_id": "player:ann"}, {"$set": {"balance": -1}}
    await books.call("wallets", "update_one", which, change, hint="_id_")
    assert kinds(await audited(books)).keys() == {"balance_mismatch", "negative_balance"}


async def test_a_missing_entry(books: DocumentStore) -> None:
    (one,) = await books.find("postings", {"reason": "transfer"}, sort=[("_id", 1)], limit=1)
    change = {"$set": {"entries": one["entries"][:1], "accounts": one["accounts"][:1]}}
    await books.call("postings", "update_one", {"_id": one["_id"]}, change, hint="_id_")
    found = kinds(await audited(books))
    assert found["unbalanced_posting"] == one["_id"]
    assert found["balance_mismatch"] == "player:bob"


async def test_a_missing_posting(books: DocumentStore) -> None:
    await books.call("postings", "delete_one", {"reason": "rob"})
    assert kinds(await audited(books)).keys() == {"balance_mismatch"}


async def test_a_doubled_posting(books: DocumentStore) -> None:
    (one,) = await books.find("postings", {"reason": "transfer"}, sort=[("_id", 1)], limit=1)
    doubled = one["_id"][:-1] + ("1" if one["_id"][-1] == "0" else "0")
    await books.call("postings", "insert_one", {**one, "_id": doubled})
    report = await audited(books)
    assert "doubled_posting" in kinds(report)


@pytest.mark.parametrize("collection", ["blackjack", "stakes", "withdrawals"])
async def test_money_in_escrow_for_nothing(books: DocumentStore, collection: str) -> None:
    await books.call(collection, "delete_many", {})
    (finding,) = (await audited(books)).findings
    assert finding.kind == "orphaned_escrow"
    assert finding.subject.startswith("escrow:")


async def test_a_duel_whose_stakes_are_gone(books: DocumentStore) -> None:
    change = {"$set": {"stake": 51}}
    await books.call("stakes", "update_one", {"_id": "d1"}, change, hint="_id_")
    assert kinds(await audited(books)) == {"missing_escrow": "escrow:duel:d1"}


async def test_a_withdrawal_whose_coins_are_gone_or_were_kept_at_its_end(
    books: DocumentStore,
) -> None:
    held, done = [
        (await books.find("withdrawals", {"status": status}, sort=[("_id", 1)], limit=1))[0]["_id"]
        for status in ("held", "confirmed")
    ]
    account = f"escrow:withdrawal:{held}"
    await books.call("wallets", "delete_one", {"_id": account})
    found = {(one.kind, one.subject) for one in (await audited(books)).findings}
    assert ("missing_escrow", account) in found
    await books.call("wallets", "insert_one", {"_id": account, "balance": 7})
    again = {"$set": {"check_at": 0}}
    await books.call("withdrawals", "update_one", {"_id": done}, again, hint="_id_")
    assert kinds(await audited(books)) == {"missing_escrow": f"escrow:withdrawal:{done}"}
    over = {"$unset": {"check_at": 0}}
    for one in (held, done):
        await books.call("withdrawals", "update_one", {"_id": one}, over, hint="_id_")
    assert kinds(await audited(books)) == {"orphaned_escrow": account}


async def test_items_that_nobody_paid_for(books: DocumentStore) -> None:
    gift = {"player": "eve", "item": "padlock", "bought": 1, "lots": []}
    await books.call("inventory", "insert_one", {"_id": "eve/padlock", **gift})
    change = {"$set": {"lots": [{"count": 5, "expires_at": None}]}}
    await books.call("inventory", "update_one", {"_id": "ann/padlock"}, change, hint="_id_")
    report = await audited(books)
    assert {finding.subject for finding in report.findings} == {"eve/padlock", "ann/padlock"}
    assert {finding.kind for finding in report.findings} == {"orphaned_item"}


async def test_orders_without_their_coins_and_coins_without_their_order(
    documents: DocumentStore,
) -> None:
    orders = Orders(documents, await new_ledger(documents, Clock()), load_packs(None))
    kept, back, lost, early = [await orders.create("ann", "purse", key) for key in "abcd"]
    price = (kept.pack.price, kept.pack.currency)
    for order in (kept, back, lost):
        await orders.heard(Word(order.id, "paid", *price))
    for order in (back, early):
        await orders.heard(Word(order.id, "refunded", *price))
    assert (await audited(documents)).ok
    await documents.call("orders", "delete_one", {"_id": lost.id})
    change = {"$set": {"status": "granted"}}
    await documents.call("orders", "update_one", {"_id": early.id}, change, hint="_id_")
    found = {(one.kind, one.subject, one.found) for one in (await audited(documents)).findings}
    assert found == {
        ("order_mismatch", lost.id, lost.pack.coins),
        ("order_mismatch", early.id, 0),
    }


@pytest.fixture
async def batches(documents: DocumentStore) -> Batches:
    return Batches(documents, await new_ledger(documents, Clock()), SETTINGS.economy)


async def mismatches(documents: DocumentStore) -> dict[str, tuple[int | None, int | None]]:
    findings = (await audited(documents)).findings
    return {
        one.subject: (one.expected, one.found) for one in findings if one.kind == "batch_mismatch"
    }


async def change(documents: DocumentStore, item: str, **fields: object) -> None:
    await documents.call("batch_items", "update_one", {"_id": item}, {"$set": fields})


async def test_batches_without_a_fault_even_if_they_were_cleaned_away(
    documents: DocumentStore, batches: Batches
) -> None:
    for payer in ("ann", "house"):
        await paid(batches, payer)
    await paid(batches, "eve", cancelled=True)
    assert (await audited(documents)).ok
    assert await batches.drop_ended(batches._ledger.now() + 1) == 2  # their postings stay
    assert (await audited(documents)).ok


async def test_an_item_that_is_paid_without_a_posting(
    documents: DocumentStore, batches: Batches
) -> None:
    one, other = await paid(batches, "ann"), await paid(batches, "eve", cancelled=True)
    await documents.call("postings", "delete_one", {"once": f"batch:{one}/0001"})
    await change(documents, f"{other}/0000", status="paid", entry_id="f" * 28)
    assert await mismatches(documents) == {f"{one}/0001": (20, 0), f"{other}/0000": (10, 0)}


async def test_a_posting_of_a_batch_without_its_item(
    documents: DocumentStore, batches: Batches
) -> None:
    one, given = await paid(batches, "ann"), await paid(batches, "house")
    await change(documents, f"{one}/0001", status="waiting")  # it would be paid again
    await documents.call("batch_items", "delete_one", {"_id": f"{one}/0002"})
    await documents.call("batches", "delete_one", {"_id": given})
    await documents.call("batch_items", "delete_many", {"_id": {"$regex": f"^{given}"}})
    gifts = {f"{given}/000{n}": (0, 10 * (n + 1)) for n in range(3)}
    assert await mismatches(documents) == {
        **gifts,
        f"{one}/0001": (0, 20),
        f"{one}/0002": (0, 30),
    }


async def test_items_that_differ_from_what_was_paid(
    documents: DocumentStore, batches: Batches
) -> None:
    one = await paid(batches, "house")
    await change(documents, f"{one}/0000", amount=11)
    await change(documents, f"{one}/0001", to="eve")
    await change(documents, f"{one}/0002", entry_id="f" * 28)
    assert await mismatches(documents) == {
        f"{one}/0000": (11, 10),
        f"{one}/0001": (20, 20),
        f"{one}/0002": (30, 30),
    }


async def paid(batches: Batches, payer: str, *, cancelled: bool = False) -> str:
    """A batch of three items that is over."""
    items = [Item(index, "bob", 10 * (index + 1), "") for index in range(3)]
    batch = batches.new(payer, payer, "", len(items))
    await batches.create(batch, items, "k")
    if cancelled:
        await batches.cancel(batch.id)
    done = [(await batches.pay(batch, item)).answer for item in items]
    await batches.note(batch.id, tally(done))
    return batch.id


async def test_what_is_paid_while_the_audit_runs_is_no_finding(
    books: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(books, SETTINGS, Clock())
    check = Audit._check_wallets

    async def late(self: Audit) -> None:
        await send(ledger, "ann", "bob", 1, "late")
        await send(ledger, "ann", "new", 1, "later")
        await check(self)

    monkeypatch.setattr(Audit, "_check_wallets", late)
    assert (await audited(books)).ok
