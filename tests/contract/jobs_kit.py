"""An office with workers in the test's own process, and tasks that say what they did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType, SimpleNamespace
from typing import Any, ClassVar, cast

from config.jobs import Jobs
from config.settings import Settings
from handlers.payloads import TaskPayload
from handlers.ports import DeadLetter, JobView
from handlers.registry import Catalogue
from jobs.base import BACKGROUND, JobContext, Task, task
from jobs.office import Office
from server.boundary import Boundary, new_request_id
from server.metrics import Metrics
from server.supervisor import Supervisor
from state.connect import RedisStore
from state.documents import DocumentStore

Do = Callable[["Note", JobContext], Awaitable[Any]]
EMPTY: Mapping[str, Any] = MappingProxyType({})
FAST: dict[str, Any] = {"profile": BACKGROUND, "delays": (0.01,)}


class Note(TaskPayload):
    """Something to be written down."""

    task: ClassVar[str] = "test.note"
    text: str = ""


class Witness:
    """What ran, in its order, and when."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.times: list[float] = []
        self.dead: list[DeadLetter] = []

    async def note(self, job: Note, _: JobContext) -> str:
        self.ran.append(job.text)
        self.times.append(time.monotonic())
        return job.text

    async def told(self, _: Any, letter: DeadLetter) -> None:
        self.dead.append(letter)


def noting(do: Do, **options: Any) -> Task[Note]:
    return task(Note, **{**FAST, **options})(do)


class Bench:
    """An office at work."""

    def __init__(self, office: Office, witness: Witness, metrics: Metrics) -> None:
        self.office = office
        self.queues = office.queues
        self.world = office.workers._tools.world
        self.witness = witness
        self.metrics = metrics

    async def order(self, text: str = "", **options: Any) -> str:
        return await self.queues.enqueue(Note(text=text), **options)

    async def ended(self, job_id: str, seconds: float = 15.0) -> JobView:
        """The job, once it is over."""
        async with asyncio.timeout(seconds):
            while True:
                job = await self.queues.get(job_id)
                if job["status"] in {"completed", "failed", "cancelled"}:
                    return job
                await asyncio.sleep(0.02)

    async def until(self, true: Callable[[], object], seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 - processes tell
                await asyncio.sleep(0.01)


def build(
    stores: tuple[RedisStore, DocumentStore],
    tasks: Sequence[Task[Any]],
    *,
    witness: Witness,
    hired: bool = True,
    now: Callable[[], int] = lambda: round(time.time() * 1000),
    parts: Mapping[str, Any] = EMPTY,
    **settings: Any,
) -> tuple[Bench, Supervisor]:
    """An office whose handlers find `parts` in their world, besides what jobs are about."""
    redis, documents = stores
    metrics = Metrics()
    chosen = Settings(jobs=Jobs(**settings))
    names = [one.name for one in tasks] if hired else []
    office = Office(chosen, redis, documents, now, metrics.jobs, tasks=tasks, hired=names)
    boundary = Boundary(metrics, 10.0)
    world = cast("Any", SimpleNamespace(settings=chosen, now=now, jobs=office.queues, **parts))
    office.hire(world, Catalogue(dead_letters=(witness.told,)), boundary.guard, new_request_id)
    return Bench(office, witness, metrics), Supervisor(boundary, metrics)


@asynccontextmanager
async def working(
    stores: tuple[RedisStore, DocumentStore], *tasks: Task[Any], **settings: Any
) -> AsyncIterator[Bench]:
    """Workers on these tasks for the length of a block."""
    bench, supervisor = build(stores, tasks, **{"witness": Witness(), **settings})
    await asyncio.to_thread(bench.queues.open)
    for worker in bench.office.workers.workers:
        supervisor.keep(worker.task.name, worker.run)
    supervisor.keep("cancelled", bench.office.workers.stop_cancelled, every=0.05)
    try:
        await bench.until(lambda: bench.office.workers.healthy)
        yield bench
    finally:
        await bench.office.workers.stop()
        await supervisor.stop(10)
        await bench.office.close()
