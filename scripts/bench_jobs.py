"""Jobs per second and CPU per job, against bare BullMQ in the same run.

    .venv/bin/python scripts/bench_jobs.py [jobs in each run]

Both sides order jobs that do nothing, then work on them, in turns, on one bundled Valkey, each
with connections of its own as docs/dependencies.md has them. CPU is that of this process.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bullmq

from config.sections import Redis
from config.settings import Settings
from handlers.payloads import TaskPayload
from handlers.registry import Catalogue
from jobs.base import BACKGROUND, JobContext, task
from jobs.engine import client
from jobs.office import Office
from server.boundary import Boundary, new_request_id
from server.metrics import Metrics
from state.connect import RedisStore
from state.embedded import EmbeddedValkey

ROUNDS = 5
CONCURRENCY = 16
PREFIX = "{bull}"


class Nothing(TaskPayload):
    """A number."""

    task: ClassVar[str] = "bench.nothing"
    number: int


class Counter:
    """Is done when so many jobs have run."""

    def __init__(self) -> None:
        self.left = 0
        self.done = asyncio.Event()

    def expect(self, jobs: int) -> None:
        """Begin anew."""
        self.left = jobs
        self.done.clear()

    def count(self) -> None:
        """One more."""
        self.left -= 1
        if self.left == 0:
            self.done.set()


Phase = Callable[[int], Awaitable[None]]


async def timed(phase: Phase, jobs: int) -> tuple[float, float]:
    """(jobs a second, µs of CPU for each)."""
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    await phase(jobs)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return jobs / (time.perf_counter() - began), cpu * 1e6 / jobs


class Bare:
    """BullMQ as its manual shows it, with the pool that it needs."""

    name = "bare bullmq"

    def __init__(self, redis: RedisStore) -> None:
        self._redis = redis
        self._counter = Counter()
        self._clients: list[Any] = []
        self._queue = bullmq.Queue("bench.bare", self._options())

    def _options(self) -> dict[str, Any]:
        made = client(self._redis, 30.0, 40)
        self._clients.append(made)
        return {"connection": made, "prefix": PREFIX}

    async def order(self, jobs: int) -> None:
        """Put them in, one after the other."""
        kept = {"removeOnComplete": {"age": 86_400, "count": 100_000}, "attempts": 2}
        for number in range(jobs):
            options = {"priority": 5, "jobId": f"b-{time.time_ns()}-{number}", **kept}
            await self._queue.add("bench.bare", {"number": number}, options)

    async def work(self, jobs: int) -> None:
        """Run them all."""
        self._counter.expect(jobs)
        options = {**self._options(), "concurrency": CONCURRENCY, "drainDelay": 1}
        worker = bullmq.Worker("bench.bare", self._one, options)
        await self._counter.done.wait()
        await worker.close()

    async def _one(self, job: Any, _: str) -> Any:
        self._counter.count()
        return job.data["number"]

    async def close(self) -> None:
        """End the connections."""
        for made in self._clients:
            await made.aclose()


class Ours:
    """The same through the fence: typed, behind the boundary, timed, counted."""

    name = "Showdown"

    def __init__(self, redis: RedisStore) -> None:
        self._counter = Counter()
        metrics, nothing = Metrics(), SimpleNamespace()
        boundary = Boundary(metrics, 10.0)

        async def run(job: Nothing, _: JobContext) -> int:
            self._counter.count()
            return job.number

        tasks = [task(Nothing, profile=BACKGROUND, concurrency=CONCURRENCY)(run)]
        none: Any = nothing
        self._office = Office(
            Settings(), redis, none, _now, metrics.jobs, tasks=tasks, hired=[tasks[0].name]
        )
        self._office.hire(none, Catalogue(), boundary.guard, new_request_id)
        self._office.queues.open()

    async def order(self, jobs: int) -> None:
        """Put them in, one after the other."""
        for number in range(jobs):
            await self._office.queues.enqueue(Nothing(number=number))

    async def work(self, jobs: int) -> None:
        """Run them all."""
        self._counter.expect(jobs)
        (worker,) = self._office.workers.workers
        worker._stopping = False  # noqa: SLF001 - a worker that is used again
        running = asyncio.create_task(worker.run())
        await self._counter.done.wait()
        await self._office.workers.stop()
        while worker.healthy:  # noqa: ASYNC110 - a moment
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    async def close(self) -> None:
        """End the connections."""
        await self._office.close()


def _now() -> int:
    return round(time.time() * 1000)


async def main(jobs: int) -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            EmbeddedValkey(Path(folder), fsync="everysec") as valkey,
            RedisStore(valkey.url, Redis()) as redis,
        ):
            sides: list[Bare | Ours] = [Bare(redis), Ours(redis)]
            seen: dict[tuple[str, str], list[tuple[float, float]]] = {}
            for _ in range(ROUNDS):
                for side in sides:
                    for what, phase in (("order", side.order), ("work", side.work)):
                        run = await timed(phase, jobs)
                        seen.setdefault((what, side.name), []).append(run)
            for side in sides:
                await side.close()
            show(seen)


def show(seen: dict[tuple[str, str], list[tuple[float, float]]]) -> None:
    """Medians, and the ratio of each round's CPU."""
    print("| step | side | jobs/s | CPU µs a job | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for (what, side), runs in sorted(seen.items()):
        rate, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
        bare = seen[what, Bare.name]
        ratio = statistics.median(one[1] / base[1] for one, base in zip(runs, bare, strict=True))
        print(f"| {what} | {side} | {rate:,.0f} | {cpu:.0f} | {ratio:.2f} |")
    ours = [
        a[1] + b[1] for a, b in zip(seen["order", Ours.name], seen["work", Ours.name], strict=True)
    ]
    bare_all = [
        a[1] + b[1] for a, b in zip(seen["order", Bare.name], seen["work", Bare.name], strict=True)
    ]
    both = statistics.median(a / b for a, b in zip(ours, bare_all, strict=True))
    print(f"| both | Showdown | | {statistics.median(ours):.0f} | {both:.2f} |")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
