"""A batch whose job is a dead letter is not lost: whoever cancels it gets its end."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from config.sections import Economy
from handlers import transfers
from handlers.base import Caller, Context
from handlers.transfers import OneBatch, OrderBatch, PayBatch, SendBatch
from jobs.tasks.transfers import pay
from state.batches import Batches
from state.connect import RedisStore
from state.documents import DocumentStore
from tests.contract.accounts_kit import Clock
from tests.contract.economy_kit import check_books, new_ledger
from tests.contract.jobs_kit import Bench, working
from tests.sizes import DRIVERS

OPEN = 1
ITEMS: Any = [{"to": "bob", "amount": 5}, {"to": "cleo", "amount": 7}]


class Players:
    """Whoever looks for cleo fails."""

    async def player(self, name: str) -> str:
        if name == "cleo":
            raise RuntimeError(name)
        return name


class Told:
    """What clients were told of batches."""

    def __init__(self) -> None:
        self.batches: list[Any] = []

    async def emit(self, _: str, state: Any, __: str) -> None:
        self.batches.append(state["batch"])


async def no_reactions(_: object) -> None:
    """To what was posted."""


async def order(payer: str, key: str, ctx: Context) -> OneBatch:
    if payer == "house":
        asked = OrderBatch(items=ITEMS, key=key, reason="a gift")
        made = await transfers.order.handler(asked, ctx)
    else:
        made = await transfers.send.handler(SendBatch(items=ITEMS, key=key), ctx)
    return OneBatch(batch_id=made["id"])


async def dead_job(bench: Bench, one: OneBatch) -> str:
    job_id = await bench.queues.enqueue(PayBatch(batch_id=one.batch_id), key=one.batch_id)
    assert (await bench.ended(job_id))["status"] == "failed"
    return job_id


@pytest.mark.parametrize("documents", DRIVERS, indirect=True)
@pytest.mark.parametrize("payer", ["ann", "house"])
async def test_a_batch_whose_job_is_dead_is_cancelled_and_has_its_end(
    redis: RedisStore, documents: DocumentStore, payer: str
) -> None:
    ledger = await new_ledger(documents, Clock())
    batches, told = Batches(documents, ledger, Economy(open_batches=OPEN)), Told()
    economy, brief = SimpleNamespace(batches=batches), replace(pay, delays=(0.01,))
    parts = {"economy": economy, "accounts": Players(), "publisher": told, "react": no_reactions}
    async with working((redis, documents), brief, parts=parts) as bench:
        caller = Caller("acc", "admin", "family", "token", 0, player_id="ann")
        ctx = Context(bench.world, "127.0.0.1", caller)
        one = await order(payer, "k", ctx)
        first = await dead_job(bench, one)
        assert (await batches.get(one.batch_id)).ended_at is None

        stopping = await transfers.cancel.handler(one, ctx)
        assert stopping["batch"]["status"] == "cancelling"
        await bench.until(lambda: told.batches[-1]["status"] == "cancelled")
        end = told.batches[-1]
        assert (end["refused"], end["paid"] + end["cancelled"]) == (0, len(ITEMS))
        assert {one.status for one in await batches.items(one.batch_id)} <= {"paid", "cancelled"}
        assert await order(payer, "k", ctx) == one
        await order(payer, "another", ctx)  # there is room for it

        await bench.queues.retry(first)  # by an operator who finds it among the dead
        assert (await bench.ended(first))["status"] == "completed"
        assert told.batches[-1] == end
    await check_books(documents)
