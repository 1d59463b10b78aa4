"""What the tests of the economy share: books on an empty, migrated database."""

from __future__ import annotations

from typing import Any

from config.settings import Settings
from game import economy as rules
from state.documents import DocumentStore
from state.ledger import Books, Done, Ledger, Posting
from state.migrations import migrate
from tests.contract.accounts_kit import Clock

SETTINGS = Settings()
START = SETTINGS.economy.starting_balance


async def new_ledger(documents: DocumentStore, clock: Clock) -> Ledger:
    await migrate(documents, clock)
    return Ledger(documents, SETTINGS, clock)


async def send(ledger: Ledger, sender: str, to: str, amount: int, key: str) -> Done:
    """A transfer as wallet:transfer makes it."""

    async def work(books: Books) -> Any:
        entries = [(rules.player(sender), -amount), (rules.player(to), amount)]
        posting = await books.post(rules.movement("transfer", "", entries), ledger.now())
        return {"balance": posting.balance(rules.player(sender))}

    return await ledger.once(sender, key, [to, amount], work)


async def all_postings(documents: DocumentStore) -> list[dict[str, Any]]:
    return [one async for one in documents.each("postings", {}, sort=[("_id", 1)])]


async def balances(documents: DocumentStore) -> dict[str, int]:
    found = documents.each("wallets", {}, sort=[("_id", 1)])
    return {one["_id"]: one["balance"] async for one in found}


async def check_books(documents: DocumentStore) -> None:
    """Every posting sums to zero, every balance is the sum of its postings."""
    sums: dict[str, int] = {}
    for posting in await all_postings(documents):
        assert sum(entry["amount"] for entry in posting["entries"]) == 0
        for entry in posting["entries"]:
            sums[entry["account"]] = sums.get(entry["account"], 0) + entry["amount"]
    kept = await balances(documents)
    owned = {account: total for account, total in sums.items() if not rules.is_system(account)}
    assert {k: v for k, v in owned.items() if v} == {k: v for k, v in kept.items() if v}
    assert all(balance >= 0 for balance in kept.values())


def reasons(postings: tuple[Posting, ...]) -> list[str]:
    return [posting.reason for posting in postings]
