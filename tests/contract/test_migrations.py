"""Migrations: once, in order, on one node, and never on a newer database."""

from __future__ import annotations

import asyncio

import pytest

from state.documents import DocumentStore
from state.migrations import MIGRATIONS, Migration, NewerDatabaseError, migrate
from tests.contract.accounts_kit import Clock


async def test_nodes_that_start_at_once_run_each_migration_once(documents: DocumentStore) -> None:
    ran: list[int] = []

    def step(number: int) -> Migration:
        async def run(_: DocumentStore) -> None:
            await asyncio.sleep(0.02)
            ran.append(number)

        return Migration(number, f"step {number}", run)

    steps = (step(1), step(2))
    clock = Clock()
    done = await asyncio.gather(*(migrate(documents, clock, steps) for _ in range(5)))
    assert ran == [1, 2]
    assert sorted(done) == [[], [], [], [], [1, 2]]
    assert await migrate(documents, clock, (*steps, step(3))) == [3]


async def test_a_migration_that_failed_runs_again(documents: DocumentStore) -> None:
    tries: list[int] = []

    async def run(_: DocumentStore) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("too hard")

    steps = (Migration(1, "hard", run),)
    with pytest.raises(ValueError, match="too hard"):
        await migrate(documents, Clock(), steps)
    assert await migrate(documents, Clock(), steps) == [1]


async def test_the_lease_of_a_node_that_died_is_taken_over(documents: DocumentStore) -> None:
    clock = Clock()
    dead = {"_id": "lease", "by": "dead", "until": clock() - 1}
    await documents.call("migrations", "insert_one", dead)
    assert await migrate(documents, clock) == [one.number for one in MIGRATIONS]


async def test_a_database_newer_than_the_code_is_refused(documents: DocumentStore) -> None:
    await migrate(documents, Clock())
    await documents.call("migrations", "insert_one", {"_id": 99, "name": "later", "at": 0})
    with pytest.raises(NewerDatabaseError, match="99"):
        await migrate(documents, Clock())
