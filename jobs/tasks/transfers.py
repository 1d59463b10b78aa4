"""Batches of transfers: their items, some at a time."""

from __future__ import annotations

import asyncio
import time

from typing_extensions import TypedDict

from game import economy
from game.errors import GameError
from game.transfers import Batch, Item, tally
from handlers.transfers import PayBatch, tell
from jobs.base import MONEY, JobContext, task

ITEMS_AT_ONCE = 4  # of a batch; with 4 batches that is half of the process' MongoDB connections
PROGRESS_SECONDS = 0.5  # between two notes of how far it has come


class Paid(TypedDict):
    """How many items have which result."""

    paid: int
    refused: int
    cancelled: int


@task(
    PayBatch,
    profile=MONEY,
    timeout=900,
    concurrency=4,
    cancelled_by="DELETE /api/v1/transfers/batch/{batch_id}",
)
async def pay(job: PayBatch, ctx: JobContext) -> Paid:
    """Pay what waits; begun again by whoever follows a worker that died."""
    batch = await ctx.world.economy.batches.get(job.batch_id)
    if batch.ended_at is None:
        batch = await _Payment(batch, ctx).run()
    else:
        await tell(ctx.world, batch)  # its end may not have been told
    counts = batch.tally
    return Paid(paid=counts.paid, refused=counts.refused, cancelled=counts.cancelled)


class _Payment:
    """One attempt at a batch."""

    def __init__(self, batch: Batch, ctx: JobContext) -> None:
        self._batch = batch
        self._ctx = ctx
        self._world = ctx.world
        self._batches = ctx.world.economy.batches
        self._items: list[Item] = []
        self._noted = time.monotonic()
        # All items meet in a player's wallet, where they would only hold each other up; of
        # the house no balance is kept.
        self._wallet = asyncio.Semaphore(ITEMS_AT_ONCE if batch.from_house else 1)

    async def run(self) -> Batch:
        self._items = await self._batches.items(self._batch.id)
        waiting = iter([item for item in self._items if item.status == "waiting"])

        async def work() -> None:
            for item in waiting:
                self._items[item.index] = await self._settle(item)
                if time.monotonic() - self._noted > PROGRESS_SECONDS:
                    await self._note()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(ITEMS_AT_ONCE):
                    group.create_task(work())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return await self._note()

    async def _settle(self, item: Item) -> Item:
        """The item with its result; what may succeed later ends the attempt instead."""
        try:
            if self._batch.cancelled_at is None:  # else whoever it is for keeps nobody from an end
                await self._check(item)
            async with self._wallet:
                done = await self._batches.pay(self._batch, item)
        except GameError as error:
            if error.retryable:
                raise
            return await self._batches.refuse(self._batch, item, error.code)
        await self._world.react(done.postings)
        settled: Item = done.answer
        return settled

    async def _check(self, item: Item) -> None:
        if not self._batch.from_house:
            economy.check_transfer(self._batch.payer, item.to)
        await self._world.accounts.player(item.to)

    async def _note(self) -> Batch:
        self._noted = time.monotonic()
        counts = tally(self._items)
        batch = await self._batches.note(self._batch.id, counts)
        await self._ctx.progress(counts.ended, batch.total)
        await tell(self._world, batch)
        return batch
