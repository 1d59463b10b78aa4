"""A batch of transfers whose worker is killed in its middle, again and again: each paid once.

BATCH_ITEMS=1000 and BATCH_KILLS=20 make it long.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from config.sections import Mongo
from state.audit import Audit
from state.documents import DocumentStore
from tests.chaos.chaos_kit import LEASE, quick, until
from tests.fixtures import Stores, on
from tests.harness import Server, Table
from tests.sizes import sized

ITEMS = sized("BATCH_ITEMS", 100, 1_000)
KILLS = sized("BATCH_KILLS", 1, 20)
RECEIVERS = 10
PATIENCE = 60.0 + ITEMS / 5 + KILLS * 5

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(int(PATIENCE) + 120)]


class Work(Server):
    """A process that works and has no clients."""

    command = "work"


async def test_each_item_is_paid_once_whatever_is_killed(emptied: Stores, table: Table) -> None:
    # What a killed worker has locked is free when its node is buried. As a rule a job that so
    # many died with is given up.
    jobs = {"JOBS__LOCK_SECONDS": 1.0, "JOBS__STALLS": KILLS + 1}
    chosen = on(emptied, **quick(NODES__LEASE_SECONDS=LEASE, **jobs))
    fronts = [Server(**chosen, JOBS__WORKERS=False) for _ in range(2)]
    workers = [Work(**chosen)]
    url = emptied.mongo_url
    async with DocumentStore(url, Mongo(database="test_server", timeout_seconds=15)) as documents:
        try:
            await asyncio.gather(*(server.start() for server in (*fronts, *workers)))
            items = await order(fronts, table)
            for number in range(KILLS):
                enough = (number + 1) * ITEMS // (KILLS + 1)
                paid = await paid_more_than(documents, enough)
                await workers[-1].kill()
                print(f"killed after {paid} of {ITEMS}")  # noqa: T201 - with -s
                workers.append(await Work(**chosen).start())
            await paid_more_than(documents, ITEMS - 1)
            await until(lambda: ended(documents), bool, PATIENCE)
        finally:
            servers = [one for one in (*fronts, *workers) if one._process]
            await asyncio.gather(*(server.stop() for server in servers))
        await books_are_right(documents, items)


async def order(fronts: list[Server], table: Table) -> list[dict[str, Any]]:
    """One batch, asked for twenty times at once."""
    ann = await table.guest(fronts[0].url, "ann")
    others = [await table.guest(fronts[1].url, f"r{n}") for n in range(RECEIVERS)]
    items = [{"to": others[n % RECEIVERS].id, "amount": 1, "note": f"{n}"} for n in range(ITEMS)]
    body = {"items": items, "key": "k", "character_id": ann.id}
    token = ann.tokens["access_token"]
    answers = await asyncio.gather(
        *(
            table.post(front.url, "/transfers/batch", body, token)
            for front in fronts
            for _ in range(10)
        )
    )
    assert {status for status, _ in answers} <= {202, 409}  # stale_version: the key goes on
    assert len({answer["id"] for status, answer in answers if status == 202}) == 1
    return items


async def statuses(documents: DocumentStore) -> Counter[str]:
    found = await documents.find("batch_items", {}, sort=[("_id", 1)], limit=2 * ITEMS)
    return Counter(one["status"] for one in found)


async def paid_more_than(documents: DocumentStore, count: int) -> int:
    async def paid() -> int:
        return (await statuses(documents))["paid"]

    return await until(paid, lambda found: found > count, PATIENCE)


async def ended(documents: DocumentStore) -> bool:
    (batch,) = await documents.find("batches", {}, sort=[("_id", 1)], limit=2)
    return "ended_at" in batch


async def books_are_right(documents: DocumentStore, items: list[dict[str, Any]]) -> None:
    report = await Audit(documents).run()
    assert report.ok, report.findings
    postings = documents.each("postings", {"reason": "transfer"}, sort=[("_id", 1)])
    notes = Counter([one["ref"] async for one in postings])
    assert notes == Counter(item["note"] for item in items)
    assert await statuses(documents) == {"paid": ITEMS}
    assert await documents.call("tabs", "count_documents", {}) == 0
