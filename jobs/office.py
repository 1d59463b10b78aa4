"""All of a process' part in the jobs, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from config.settings import Settings
from handlers.base import World
from handlers.registry import Catalogue
from jobs import engine
from jobs.base import Task
from jobs.metrics import JobMetrics
from jobs.queue import JobQueues
from jobs.relay import Relay
from jobs.scheduler import Scheduler
from jobs.schedules import own_schedules
from jobs.worker import Guard, Tools
from jobs.workers import JobWorkers
from state.breaker import Observer
from state.connect import RedisStore
from state.documents import DocumentStore
from state.job_marks import JobMarks
from state.job_orders import JobOrders
from state.schedules import ScheduleBook

RETRIES = 2  # of an order; then it is for the caller to try again
CONNECTIONS = 8  # for orders and questions, which take a millisecond each


class Office:
    """Queues, schedules, the relay, and, once somebody is hired, workers.

    Args:
        tasks: every task, also those that others work on.
        hired: names of the queues that this process works on. Those whose tasks need what
            its settings lack it leaves to others: `beyond`, with the variables that are missing.
    """

    def __init__(
        self,
        settings: Settings,
        redis: RedisStore,
        documents: DocumentStore,
        now: Callable[[], int],
        metrics: JobMetrics,
        *,
        tasks: Sequence[Task[Any]],
        hired: Collection[str],
        observe: Observer | None = None,
    ) -> None:
        self._settings = settings
        self._redis = redis
        self._metrics = metrics
        chosen = {task: task.lacks(settings) for task in tasks if task.name in hired}
        self._hired = [task for task, lacks in chosen.items() if lacks is None]
        self.beyond = {task.name: lacks for task, lacks in chosen.items() if lacks}
        self._client = engine.client(redis, settings.redis.timeout_seconds, RETRIES, CONNECTIONS)
        self._marks = JobMarks(redis, settings.jobs.keep_seconds)
        self._orders = JobOrders(documents, now)
        make = partial(engine.Queue, redis=self._client, breaker=engine.breaker(observe))
        self.queues = JobQueues(tasks, make, settings.jobs, self._orders, self._marks, metrics)
        self.scheduler = Scheduler(
            ScheduleBook(documents), self.queues, settings.jobs, now, metrics
        )
        self.relay = Relay(self.queues, self._orders, self._marks, settings.jobs)
        self.workers: JobWorkers

    def hire(
        self, world: World, catalogue: Catalogue, guard: Guard, new_trace_id: Callable[[], str]
    ) -> None:
        """Make the workers: they need the world, which needs the queues."""
        tools = Tools(
            world=world,
            settings=self._settings.jobs,
            redis=self._redis,
            guard=guard,
            new_trace_id=new_trace_id,
            metrics=self._metrics,
            orders=self._orders,
        )
        self.workers = JobWorkers(self._hired, self.queues, self._marks, tools, catalogue)

    async def prepare(self) -> None:
        """Make what the jobs stand on."""
        # All of the pool at once: later, nobody waits for a connection to be made.
        await asyncio.gather(*(self._client.ping() for _ in range(CONNECTIONS)))
        await asyncio.to_thread(self.queues.open)
        await self._orders.prepare()
        await self.scheduler.prepare(own_schedules(self._settings))

    async def close(self) -> None:
        """End the connections of those who order; workers end their own."""
        await self._client.aclose()
