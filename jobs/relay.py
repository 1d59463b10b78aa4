"""From MongoDB to the queues: orders of money that Redis has not, or no more."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from config.jobs import Jobs as JobSettings
from config.logging import get_logger
from jobs.queue import JobQueues
from state.documents import Document
from state.job_marks import JobMarks
from state.job_orders import JobOrders

log = get_logger(__name__)


class Relay:
    """Looks after open orders; any number of processes may do so at once."""

    def __init__(
        self,
        queues: JobQueues,
        orders: JobOrders,
        marks: JobMarks,
        settings: JobSettings,
    ) -> None:
        self._queues = queues
        self._orders = orders
        self._marks = marks
        self._settings = settings
        self._epoch = ""

    async def look(self) -> None:
        """Put in what is missing; after a loss of Redis, and at the start, look at all."""
        epoch = await self._marks.epoch()
        if epoch != self._epoch:
            await self._orders.check_all()
            self._epoch = epoch
        while due := await self._orders.due():
            # Before: one that ends meanwhile loses its date for good. Who dies in between has
            # put them off, not lost them.
            ids = [order["_id"] for order in due]
            await self._orders.checked(ids, self._settings.recheck_seconds)
            await self._check(due)

    async def _check(self, due: list[Document]) -> None:
        by_task: dict[str, list[Document]] = defaultdict(list)
        for order in due:
            by_task[order["task"]].append(order)
        for task, orders in by_task.items():
            if task in self._queues.tasks:
                await self._check_queue(task, orders)

    async def _check_queue(self, task: str, orders: list[Document]) -> None:
        missing = await self._queues.engine(task).missing(order["_id"] for order in orders)
        for order in orders:
            if order.get("state"):
                await self._orders.settled(order["_id"])
            elif order["_id"] in missing:
                await self._put_in(order)
            else:
                await self._note_end(task, order["_id"])

    async def _put_in(self, order: dict[str, Any]) -> None:
        log.info("order_relayed", job_id=order["_id"])
        await self._queues.put_in(order)

    async def _note_end(self, task: str, job_id: str) -> None:
        """One that was completed by a worker that died before it could say so here."""
        queue = self._queues.engine(task)
        if await queue.state(job_id) == "completed" and (stored := await queue.get(job_id)):
            await self._orders.done(job_id, stored.result)
