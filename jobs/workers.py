"""All workers of a process, and what goes on around them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from config.logging import get_logger
from handlers.ports import DeadLetter
from handlers.registry import Catalogue
from jobs.base import Task
from jobs.queue import JobQueues
from jobs.views import reason_and_trace
from jobs.worker import TaskWorker, Tools
from state.job_marks import JobMarks

CANCEL_SECONDS = 0.5  # between two looks for jobs that were taken back
GAUGE_SECONDS = 5.0
STOP_POLL = 0.02
LAST_SECONDS = 2.0  # for what was told to stop, and for hooks

log = get_logger(__name__)


class JobWorkers:
    """The workers of some queues. server/app.py keeps each `run` of `workers` running."""

    def __init__(
        self,
        tasks: Sequence[Task[Any]],
        queues: JobQueues,
        marks: JobMarks,
        tools: Tools,
        catalogue: Catalogue,
    ) -> None:
        self._queues = queues
        self._marks = marks
        self._tools = tools
        self._hooks = catalogue.dead_letters
        self._telling: set[asyncio.Task[None]] = set()
        self.workers = tuple(TaskWorker(task, tools, self._died) for task in tasks)

    @property
    def healthy(self) -> bool:
        """Whether all take jobs."""
        return all(worker.healthy for worker in self.workers)

    async def stop_cancelled(self) -> None:
        """Stop what runs here and was taken back."""
        running = {job: worker for worker in self.workers for job in worker.running}
        if running:
            for job_id in await self._marks.among(tuple(running)):
                running[job_id].cancel(job_id)

    async def show(self) -> None:
        """Set the gauges."""
        metrics = self._tools.metrics
        metrics.workers.set(sum(worker.healthy for worker in self.workers))
        for queue in self._queues.tasks:
            jobs, oldest_ms = await self._queues.depth(queue)
            for state in ("waiting", "delayed", "running"):
                metrics.depth.labels(queue, state).set(jobs[state])
            metrics.oldest.labels(queue).set(oldest_ms / 1000)
            metrics.dead.labels(queue).set(jobs["failed"])

    async def stop(self) -> None:
        """Take no more jobs, wait for those that run, hand back what takes too long."""
        for worker in self.workers:
            worker.close()
        if not await self._idle(self._tools.settings.stop_seconds):
            for worker in self.workers:
                worker.hand_back()
            if not await self._idle(LAST_SECONDS):
                log.warning("jobs_cut_off", jobs=self._running())
        if self._telling:
            await asyncio.wait(self._telling, timeout=LAST_SECONDS)

    def _running(self) -> Collection[str]:
        return [job for worker in self.workers for job in worker.running]

    async def _idle(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self._running() and loop.time() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(STOP_POLL)
        return not self._running()

    # Dead letters

    def _died(self, job_id: str, attempts: int, reason: str) -> None:
        text, trace_id = reason_and_trace(reason)
        task = job_id.partition("-")[0]
        letter = DeadLetter(id=job_id, task=task, attempts=attempts, reason=text)
        if trace_id:
            letter["trace_id"] = trace_id
        log.error("dead_letter", **letter)
        for hook in self._hooks:
            telling = asyncio.ensure_future(self._tell(hook, letter))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    async def _tell(self, hook: Any, letter: DeadLetter) -> None:
        call = partial(hook, self._tools.world, letter)
        trace_id = self._tools.new_trace_id()
        await self._tools.guard("hook", hook.__name__, trace_id, call, limited=True)
