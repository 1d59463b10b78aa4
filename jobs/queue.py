"""Ordering jobs, and asking for them: what handlers know as `world.jobs`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, cast

import orjson
from pydantic import ValidationError

from config.jobs import Jobs as JobSettings
from config.logging import get_logger
from game.errors import (
    Conflict,
    DependencyUnavailable,
    FieldProblem,
    IdempotencyMismatch,
    NotFound,
    ValidationFailed,
)
from handlers.payloads import TaskPayload
from handlers.ports import NORMAL, Cleanable, JobState, JobView, QueueView
from jobs.base import Task
from jobs.engine import Keep, Order, Queue
from jobs.metrics import JobMetrics
from jobs.views import Depth, cancelled_view, order_view, queue_view, view
from state.ids import new_id
from state.job_marks import JobMarks
from state.job_orders import JobOrders

NEVER = 2**53  # ms; later than any job
RELAY_AFTER = 5.0  # seconds; by then an order is in its queue, or whoever took it is dead
OVER = frozenset({"completed", "failed", "cancelled"})
STATES: dict[str, tuple[str, ...]] = {
    "waiting": ("prioritized", "wait", "paused"),
    "delayed": ("delayed",),
    "running": ("active",),
    "completed": ("completed",),
    "failed": ("failed",),
}

log = get_logger(__name__)


class JobQueues:
    """All queues of a process."""

    def __init__(
        self,
        tasks: Sequence[Task[Any]],
        make: Callable[[str], Queue],
        settings: JobSettings,
        orders: JobOrders,
        marks: JobMarks,
        metrics: JobMetrics,
    ) -> None:
        self.tasks = {task.name: task for task in tasks}
        self._make = make
        self._queues: dict[str, Queue] = {}
        self._settings = settings
        self._orders = orders
        self._marks = marks
        self._metrics = metrics

    def open(self) -> None:
        """Make the queues; reads files, so not in the event loop."""
        self._queues = {name: self._make(name) for name in self.tasks}

    async def enqueue(
        self,
        payload: TaskPayload,
        *,
        key: str | None = None,
        delay: float = 0,
        priority: int = NORMAL,
    ) -> str:
        """Order a job; see handlers/ports.py."""
        body = payload.model_dump(mode="json")
        if key is None:
            job_id = f"{payload.task}-{new_id()}"
            await self.order(payload.task, job_id, body, delay, priority)
            return job_id
        job_id = _keyed(payload.task, key)
        if await self._marks.cancelled(job_id) is None:
            await self.order(payload.task, job_id, body, delay, priority)
        if (await self.get(job_id))["payload"] != body:
            raise IdempotencyMismatch
        return job_id

    async def order(
        self, task: str, job_id: str, body: dict[str, Any], delay: float, priority: int
    ) -> None:
        """Put a job of that id into its queue, unless it has been there.

        Raises:
            DependencyUnavailable: it may be there. One of `money` is: it is kept in MongoDB.
        """
        kind = self.tasks[task]
        if not kind.profile.durable:
            await self.relay(task, job_id, body, delay, priority)
            return
        due_at = round((time.time() + delay) * 1000)
        known = {"_id": job_id, "task": task, "data": body, "due_at": due_at}
        earlier = await self._orders.put({**known, "priority": priority}, RELAY_AFTER)
        if earlier is None:
            try:
                await self.relay(task, job_id, body, delay, priority)
            except DependencyUnavailable:
                log.info("order_kept", job_id=job_id)  # the relay puts it in when Redis is back

    async def relay(
        self, task: str, job_id: str, body: dict[str, Any], delay: float, priority: int
    ) -> None:
        """Put a job into its queue in Redis."""
        kind, settings = self.tasks[task], self._settings
        dead = Keep(settings.dead_seconds, settings.dead_count)
        order = Order(
            id=job_id,
            data={"payload": body},
            attempts=kind.attempts,
            keep=Keep(settings.keep_seconds, settings.keep_count),
            # Of money somebody decides.
            keep_failed=Keep(None) if kind.profile.durable else dead,
            delay_ms=round(delay * 1000),
            priority=min(10, max(1, priority)),
        )
        await self._queues[task].add(order)
        self._metrics.enqueued.labels(task).inc()

    async def put_in(self, kept: dict[str, Any]) -> None:
        """Put a kept order into its queue in Redis."""
        delay = max(0.0, kept["due_at"] / 1000 - time.time())
        await self.relay(kept["task"], kept["_id"], kept["data"], delay, kept["priority"])

    def read(self, task: str, payload: dict[str, Any], role: str) -> TaskPayload:
        """The payload of a task that this role may order by name; see handlers/ports.py."""
        kind = self.tasks.get(task)
        if kind is None or role not in kind.roles:
            raise NotFound("There is no such task, or it is not yours to order.")
        try:
            return cast("TaskPayload", kind.validate(orjson.dumps(payload)))
        except ValidationError as error:
            raise ValidationFailed(errors=_problems(error)) from None

    async def get(self, job_id: str) -> JobView:
        """A job; see handlers/ports.py."""
        queue = self._queue_of(job_id)
        state = await queue.state(job_id)  # first: what comes with a state is there then
        stored = await queue.get(job_id)
        if stored:
            return view(queue.name, stored, state)
        if mark := await self._marks.cancelled(job_id):
            return cancelled_view(cast("JobView", mark))
        if self.tasks[queue.name].profile.durable and (order := await self._orders.get(job_id)):
            return order_view(order)
        raise NotFound

    async def find(self, queue: str, state: JobState, limit: int, skip: int) -> list[JobView]:
        """Jobs of a queue in a state; see handlers/ports.py."""
        if state not in STATES:
            return []
        found = await self._queue(queue).page(STATES[state], skip, limit)
        return [view(queue, one, STATES[state][0]) for one in found]

    async def dead_letters(
        self, queue: str | None, limit: int, before: str | None
    ) -> list[JobView]:
        """Failed jobs, the newest first; see handlers/ports.py."""
        names = [self._queue(queue).name] if queue else list(self._queues)
        at, _, job_id = (before or "").partition("-")
        found: list[JobView] = []
        for name in names:
            letters = await self._queues[name].failed(int(at or NEVER), job_id, limit)
            found += [view(name, one, "failed") for one in letters]
        found.sort(key=lambda job: (job.get("finished_at", 0), job["id"]), reverse=True)
        return found[:limit]

    async def retry(self, job_id: str) -> JobView:
        """Give a dead letter all its attempts again; see handlers/ports.py."""
        queue = self._queue_of(job_id)
        stored = await queue.get(job_id)
        if stored is None:
            raise NotFound
        await queue.retry(stored)
        return await self.get(job_id)

    async def cancel(self, job_id: str) -> JobView:
        """Take a job back, or stop it where it runs; see handlers/ports.py."""
        job = await self.get(job_id)
        if job["status"] in OVER:
            raise Conflict(f"The job is {job['status']}.")
        if instead := self.tasks[job["task"]].cancelled_by:
            raise Conflict(f"Cancel what it is for: {instead.format(**job['payload'])}")
        # First the mark, which a worker that takes the job meanwhile will see.
        await self._marks.cancel(job_id, cast("dict[str, Any]", job))
        queue = self._queue_of(job_id)
        if await queue.remove(job_id):
            await self._forget(queue.name, job_id, "cancelled")
        return await self.get(job_id)

    async def discard(self, job_id: str, reason: str, by: str) -> None:
        """Take a dead letter away for good; see handlers/ports.py."""
        job = await self.get(job_id)
        queue = self._queue_of(job_id)
        if job["status"] != "failed" or not await queue.remove(job_id):
            raise Conflict("The job has not failed.")
        await self._forget(queue.name, job_id, "discarded")
        log.warning("dead_letter_discarded", job_id=job_id, reason=reason, by=by)

    async def give_up(self, task: str, key: str) -> None:
        """Take away the dead letter of a key, if there is one; see handlers/ports.py."""
        job_id = _keyed(task, key)
        try:
            state = (await self.get(job_id))["status"]
        except NotFound:
            return
        if state not in OVER:
            raise Conflict(f"Its job is {state}.")
        if state == "failed":
            # First the order, so that nobody who asks meanwhile takes it for an open one.
            await self._forget(task, job_id, "discarded")
            if not await self._queues[task].remove(job_id):
                raise Conflict("Its job was replayed just now.")

    async def _forget(self, task: str, job_id: str, state: str) -> None:
        if self.tasks[task].profile.durable:
            await self._orders.done(job_id, None, state)

    async def queues(self) -> list[QueueView]:
        """All queues."""
        return [await self.stats(name) for name in self._queues]

    async def stats(self, queue: str) -> QueueView:
        """One queue; see handlers/ports.py."""
        one, profile = self._queue(queue), self.tasks[queue].profile.name
        depth, pace = await self.depth(queue), await one.pace(_now())
        return queue_view(queue, profile, depth, pace, paused=await one.paused())

    async def depth(self, queue: str) -> Depth:
        """How much there is in a queue."""
        one = self._queue(queue)
        counts, oldest = await one.counts(), await one.oldest()
        jobs = {word: sum(counts.get(kind, 0) for kind in kinds) for word, kinds in STATES.items()}
        return Depth(jobs, max(0, _now() - oldest) if oldest else 0)

    async def pause(self, queue: str) -> None:
        """Start no more of its jobs; see handlers/ports.py."""
        await self._queue(queue).pause(paused=True)

    async def resume(self, queue: str) -> None:
        """Start them again; see handlers/ports.py."""
        await self._queue(queue).pause(paused=False)

    async def clean(self, queue: str, state: Cleanable, older: float, limit: int) -> int:
        """Take old jobs away; see handlers/ports.py."""
        one, removed = self._queue(queue), 0
        if self.tasks[queue].cancelled_by and state in {"waiting", "delayed"}:
            raise Conflict("Cancel what these jobs are for, one by one.")
        for kind in STATES[state]:
            for job_id in await one.clean(kind, round(older * 1000), limit - removed):
                removed += 1
                if state != "completed":
                    await self._forget(queue, job_id, "discarded")
            if removed >= limit:
                break
        return removed

    def engine(self, queue: str) -> Queue:
        """The queue itself, for who looks after it."""
        return self._queues[queue]

    def _queue(self, name: str) -> Queue:
        if name not in self._queues:
            raise NotFound("There is no such queue.")
        return self._queues[name]

    def _queue_of(self, job_id: str) -> Queue:
        queue = self._queues.get(job_id.partition("-")[0])
        if queue is None:
            raise NotFound
        return queue


def _now() -> int:
    return round(time.time() * 1000)


def _keyed(task: str, key: str) -> str:
    return f"{task}-k{sha256(orjson.dumps([key])).hexdigest()[:20]}"


def _problems(error: ValidationError) -> list[FieldProblem]:
    return [
        FieldProblem(
            field=".".join(("payload", *map(str, one["loc"]))), message=one["msg"], type=one["type"]
        )
        for one in error.errors()
    ]
