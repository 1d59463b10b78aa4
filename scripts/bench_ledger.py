"""Postings per second and CPU per posting, against the same writes without any rules.

    .venv/bin/python scripts/bench_ledger.py [postings in each run]

Both sides run on one bundled store, in turns. The bare side is a transaction script: two
balances, a posting and an idempotency key, and no more: nothing is read or checked. CPU is
that of this process.
"""

from __future__ import annotations

import asyncio
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.sections import Mongo
from config.settings import Settings
from game import economy as rules
from state.documents import DocumentStore, Transaction
from state.embedded import EmbeddedDocuments
from state.ledger import Books, Ledger
from state.migrations import migrate

ROUNDS = 3
IN_FLIGHT = (1, 32, 256)
PLAYERS = (1_000, 100_000)
COINS = 1_000_000
numbers = count()

Transfer = Callable[[str, str], Awaitable[object]]


def now() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def through_the_ledger(ledger: Ledger) -> Transfer:
    """A transfer as wallet:transfer makes it."""

    async def transfer(sender: str, to: str) -> object:
        async def work(books: Books) -> object:
            entries = [(rules.player(sender), -1), (rules.player(to), 1)]
            posting = await books.post(rules.movement("transfer", "", entries), now())
            return posting.balance(rules.player(sender))

        return await ledger.once(sender, f"l{next(numbers)}", [to, 1], work)

    return transfer


def bare(documents: DocumentStore) -> Transfer:
    """The same writes, without double entry, checks, or a way to ask again."""

    async def transfer(sender: str, to: str) -> object:
        number = next(numbers)

        async def work(tx: Transaction) -> None:
            for player, amount in ((sender, -1), (to, 1)):
                # Without the guard that it would need: here, that would be a scan.
                which, update = {"_id": f"player:{player}"}, {"$inc": {"balance": amount}}
                await tx.call("wallets", "update_one", which, update, hint="_id_")
            accounts = [f"player:{sender}", f"player:{to}"]
            posting = {"_id": f"{now():012x}{number}", "accounts": accounts, "untold": now()}
            await tx.call("postings", "insert_one", posting)
            await tx.call("requests", "insert_one", {"_id": f"{sender}/b{number}"})

        return await documents.transaction(work)

    return transfer


async def measure(transfer: Transfer, players: int, flying: int, total: int) -> tuple[float, float]:
    """(postings a second, ms of CPU for each)."""
    left = iter(range(total))

    async def one_after_the_other() -> None:
        for _ in left:
            sender, to = random.sample(range(players), 2)
            await transfer(f"p{sender}", f"p{to}")

    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    await asyncio.gather(*(one_after_the_other() for _ in range(flying)))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return total / (time.perf_counter() - began), cpu * 1000 / total


async def fill(documents: DocumentStore, first: int, last: int) -> None:
    """Wallets of players who have always been there."""
    for start in range(first, last, 5_000):
        names = range(start, min(last, start + 5_000))
        wallets = [{"_id": f"player:p{i}", "balance": COINS} for i in names]
        await documents.call("wallets", "insert_many", wallets)


async def main(total: int) -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            EmbeddedDocuments(Path(folder)) as embedded,
            DocumentStore(embedded.url, Mongo()) as documents,
        ):
            await migrate(documents, now)
            sides = {
                "ledger": through_the_ledger(Ledger(documents, Settings(), now)),
                "bare": bare(documents),
            }
            print("| players | in flight | side | postings/s | CPU ms each |")
            print("| --- | --- | --- | --- | --- |")
            filled = 0
            for players in PLAYERS:
                await fill(documents, filled, players)
                filled = players
                for flying in IN_FLIGHT:
                    await compare(sides, players, flying, total)


async def compare(sides: dict[str, Transfer], players: int, flying: int, total: int) -> None:
    """Both sides in turns; medians."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, transfer in sides.items():
            seen[name].append(await measure(transfer, players, flying, total))
    for name, runs in seen.items():
        rate, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"| {players:,} | {flying} | {name} | {rate:.0f} | {cpu:.2f} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
