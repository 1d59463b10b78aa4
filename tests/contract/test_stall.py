"""Nothing that is locked, and nobody who waits for it or gives up, stops the store for others."""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from config.outbound import Webhooks as Settings
from config.sections import Mongo
from game.errors import DependencyUnavailable
from state.deliveries import Deliveries
from state.documents import EACH, DocumentStore, Transaction
from state.embedded import EmbeddedDocuments
from tests.contract.stores_kit import Events
from tests.fixtures import Stores

ROOT = Path(__file__).parents[2]
PATIENCE = 10  # seconds for what takes milliseconds; it was for ever


class Holder:
    """A transaction that has locked lane 1 and will write lane 2 before it ends."""

    def __init__(self, documents: DocumentStore) -> None:
        self.inside, self.go_on = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(documents.transaction(self._work))

    async def _work(self, tx: Transaction) -> None:
        await write(tx, 1)
        self.inside.set()
        await self.go_on.wait()
        await write(tx, 2)


async def write(tx: Transaction, lane: int) -> None:
    which = {"_id": f"hook/{lane}"}
    await tx.call("lanes", "update_one", which, {"$inc": {"count": 1}}, hint="_id_")


async def lanes(documents: DocumentStore, count: int) -> None:
    made = [{"_id": f"hook/{n}", "webhook": "hook", "count": 0, "due_at": 1} for n in range(count)]
    await documents.call("lanes", "insert_many", made)


async def test_a_change_of_many_stops_no_transaction_that_it_waits_for(
    documents: DocumentStore,
) -> None:
    """`DELETE /webhooks/{id}` while deliveries to it are written down stopped all writes."""
    await lanes(documents, 4)
    holder = Holder(documents)
    await holder.inside.wait()
    many = asyncio.create_task(Deliveries(documents, Settings(), lambda: 5).pause("hook"))
    await asyncio.sleep(0.1)  # it may be waiting by now; if it is not, that is no failure
    async with asyncio.timeout(PATIENCE):
        await documents.transaction(lambda tx: write(tx, 3))  # held the table of transactions
        holder.go_on.set()
        await holder.task
        await many
        await documents.call("others", "insert_one", {"_id": 1})
    left = await documents.find("lanes", {}, sort=[("_id", 1)], limit=9)
    assert [one["count"] for one in left] == [0, 1, 1, 1]
    assert not any("due_at" in one for one in left)


async def test_a_change_of_many_reaches_all_of_them_in_steps(documents: DocumentStore) -> None:
    await lanes(documents, EACH + 5)
    some = {"_id": {"$gte": "hook/1"}}
    assert await documents.update_all("lanes", {"count": 0}, {"$set": {"count": 1}}) == EACH + 5
    assert await documents.delete_all("lanes", some) == EACH + 4
    assert (await documents.call("lanes", "find_one", {}))["count"] == 1
    assert await documents.delete_all("lanes", some) == 0


def test_nobody_changes_many_outside_of_a_transaction() -> None:
    call = re.compile(r"""documents\.call\([^()]*["'](update|delete)_many""")
    for floor in ("state", "jobs", "handlers", "server"):
        for path in (ROOT / floor).rglob("*.py"):
            assert not call.search(path.read_text()), path


@pytest.mark.parametrize("documents", ["pymongo"], indirect=True)
async def test_a_commit_whose_caller_gives_up_leaves_nothing_locked(
    documents: DocumentStore, stores: Stores
) -> None:
    await lanes(documents, 2)
    settings = Mongo(driver="pymongo", database="test_pymongo", pool_size=1, timeout_seconds=1)
    which, more = {"_id": "hook/1"}, {"$inc": {"count": 1}}
    others, committing = [], asyncio.Event()
    async with DocumentStore(stores.mongo_url, settings) as store:

        async def work(tx: Transaction) -> None:
            await write(tx, 1)
            # It takes the only connection and waits for us: the commit cannot be sent.
            others.append(asyncio.create_task(store.call("lanes", "update_one", which, more)))
            await asyncio.sleep(0.5)
            committing.set()

        task = asyncio.create_task(store.transaction(work))
        await committing.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, *others, return_exceptions=True)
        async with asyncio.timeout(PATIENCE):  # before the client ends its sessions
            await documents.call("lanes", "update_one", which, more)


@pytest.mark.parametrize("documents", ["motor"], indirect=True)
async def test_calls_that_wait_for_a_thread_are_given_up_in_time(
    documents: DocumentStore, stores: Stores
) -> None:
    threads = 5 * (os.cpu_count() or 1)  # motor's
    await lanes(documents, 3)
    holder = Holder(documents)
    await holder.inside.wait()
    settings = Mongo(driver="motor", database="test_motor", timeout_seconds=0.5)
    async with DocumentStore(stores.mongo_url, settings) as store:
        began = time.monotonic()
        which, update = {"_id": "hook/1"}, {"$inc": {"count": 1}}
        calls = [store.call("lanes", "update_one", which, update) for _ in range(10 * threads)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(one, DependencyUnavailable) for one in answers)
        assert time.monotonic() - began < 4  # ten rounds of half a second each were 5
        assert store.breaker.open
    holder.go_on.set()
    await holder.task


async def test_a_store_whose_writes_stand_still_is_started_again(tmp_path: Path) -> None:
    """Should this fail because nothing stands still: SecantusDB is mended, see `is_stuck`."""
    events = Events()

    class Quick(EmbeddedDocuments):
        look_every = 0.2
        stuck_seconds = 1.5

    settings = Mongo(driver="pymongo", database="kept", timeout_seconds=0.3)
    async with (
        Quick(tmp_path, on_event=events) as store,
        DocumentStore(store.url, settings) as ours,
        AsyncMongoClient[dict[str, object]](store.url, timeoutMS=5_000) as client,
    ):
        things = client.kept.things
        await things.insert_many([{"_id": n} for n in range(3)])
        async with client.start_session() as one, client.start_session() as two:
            await one.start_transaction()
            await things.update_one({"_id": 1}, {"$set": {"n": 1}}, session=one)
            await two.start_transaction()

            async def go_on() -> None:
                while True:  # until the other is far enough to stop it
                    await things.update_one({"_id": 2}, {"$inc": {"n": 1}}, session=two)

            stopped = [
                asyncio.create_task(go_on()),
                asyncio.create_task(things.update_many({"_id": 1}, {"$set": {"n": 2}})),
            ]
            await asyncio.sleep(0.3)
            with pytest.raises(DependencyUnavailable):
                await ours.ping()  # so the node is not ready
            assert await things.find_one({"_id": 0})  # though this is answered
            await events.until("store_stuck")
            await events.until("store_restarted")
            await asyncio.gather(*stopped, return_exceptions=True)
        await things.update_many({}, {"$set": {"n": 3}})
        assert [one["n"] async for one in things.find()] == [3, 3, 3]
