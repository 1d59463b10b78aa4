"""One task's worker in one process: runs the handler behind the boundary, and its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import orjson
from pydantic import ValidationError

from config.jobs import Jobs as JobSettings
from game.errors import GameError
from handlers.base import World
from jobs.base import GiveUpError, JobContext, LostError, RetryLaterError, Task
from jobs.engine_worker import Attempt, FailedError, HandBackError, Terms, Worker
from jobs.metrics import JobMetrics
from state.connect import RedisStore
from state.job_orders import JobOrders

CANCELLED = "$cancelled"  # the result of a job that was stopped while it ran
SWALLOWED_SECONDS = 2.0  # for a handler to end that was told to
REASON_CHARS = 300

Why = Literal["", "timeout", "cancelled", "lost", "stopping"]


class Outcome(Protocol):
    """What a guarded call came to."""

    value: Any
    error: GameError | None


class Guard(Protocol):
    """The boundary (server/boundary.py)."""

    def __call__(
        self,
        kind: str,
        name: str,
        request_id: str,
        call: Callable[[], Awaitable[Any]],
        *,
        limited: bool = True,
    ) -> Awaitable[Outcome]:
        """Run a call to its outcome; what is not expected is logged, with its trace."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the workers of a process share."""

    world: World
    settings: JobSettings
    redis: RedisStore
    guard: Guard
    new_trace_id: Callable[[], str]
    metrics: JobMetrics
    orders: JobOrders


@dataclass(slots=True, eq=False)
class Running:
    """A handler at work, and why it was told to stop."""

    task: asyncio.Task[Outcome]
    ended: asyncio.Future[None]
    why: Why = ""
    raised: Exception | None = None

    def stop(self, why: Why) -> None:
        """Cancel it, unless it was told before; one that does not listen is left behind."""
        if not self.why and not self.task.done():
            self.why = why
            self.task.cancel()
            self.ended.get_loop().call_later(SWALLOWED_SECONDS, self.release)

    def release(self, _: object = None) -> None:
        """Wait for it no longer."""
        if not self.ended.done():
            self.ended.set_result(None)


class TaskWorker:
    """Runs the jobs of one task."""

    def __init__(
        self, task: Task[Any], tools: Tools, on_dead: Callable[[str, int, str], None]
    ) -> None:
        self.task = task
        self.running: dict[str, Running] = {}
        self._tools = tools
        self._on_dead = on_dead
        self._stopping = False
        settings, name, metrics = tools.settings, task.name, tools.metrics
        self._waited, self._ran = metrics.waited.labels(name), metrics.ran.labels(name)
        self._ended = metrics.ended
        self._completed = metrics.ended.labels(name, "completed")
        terms = Terms(
            concurrency=task.concurrency,
            lock_seconds=settings.lock_seconds,
            stalls=settings.stalls,
            stop_seconds=settings.stop_seconds,
            at_once=task.at_once,
            rate=task.rate,
        )
        self._worker = Worker(name, tools.redis, terms, self._process, self._lost, self._dead)

    @property
    def healthy(self) -> bool:
        """Whether it takes jobs."""
        return self._worker.running

    async def run(self) -> None:
        """Work until told to stop.

        Raises:
            RuntimeError: the engine ended by itself; whoever keeps us starts us again.
        """
        await self._worker.run()
        if not self._stopping:
            raise RuntimeError(f"the worker of {self.task.name} ended by itself")
        await asyncio.Event().wait()  # there is nothing more to do, and nothing to be restarted

    def close(self) -> None:
        """Take no more jobs."""
        self._stopping = True
        self._worker.close()

    def hand_back(self) -> None:
        """Let others run what runs here."""
        for running in self.running.values():
            running.stop("stopping")

    def cancel(self, job_id: str) -> None:
        """Stop a job because somebody asked for it."""
        if running := self.running.get(job_id):
            running.stop("cancelled")

    def _lost(self, job_ids: list[str]) -> None:
        """Their locks are gone: what still runs of them must do nothing more."""
        for job_id in job_ids:
            if running := self.running.get(job_id):
                running.stop("lost")

    def _dead(self, job_id: str, attempts: int, reason: str) -> None:
        self._count("dead")
        self._on_dead(job_id, attempts, reason)

    def _count(self, outcome: str) -> None:
        self._ended.labels(self.task.name, outcome).inc()

    async def _process(self, attempt: Attempt) -> Any:
        if attempt.waited is not None:
            self._waited.observe(attempt.waited)
        trace_id = self._tools.new_trace_id()
        began = time.perf_counter()
        running = self._start(attempt, trace_id)
        self.running[attempt.id] = running
        try:
            # By hand: asyncio.wait costs as much as all the rest of our bookkeeping.
            timer = running.ended.get_loop().call_later(self.task.timeout, running.stop, "timeout")
            await running.ended
            timer.cancel()
        finally:
            del self.running[attempt.id]
            running.task.cancel()
            self._ran.observe(time.perf_counter() - began)
        return await self._outcome(running, attempt, trace_id)

    def _start(self, attempt: Attempt, trace_id: str) -> Running:
        async def call() -> Any:
            try:
                return await self._call(attempt)
            except Exception as error:
                running.raised = error
                if isinstance(error, RetryLaterError | GiveUpError | LostError):
                    return None  # expected: no trace
                raise

        guarded = self._tools.guard("job", self.task.name, trace_id, call, limited=False)
        loop = asyncio.get_running_loop()
        running = Running(asyncio.ensure_future(guarded, loop=loop), loop.create_future())
        running.task.add_done_callback(running.release)
        return running

    async def _call(self, attempt: Attempt) -> Any:
        try:
            payload = self.task.validate(orjson.dumps(attempt.data["payload"]))
        except ValidationError:
            raise GiveUpError("the payload is not the task's") from None
        ctx = JobContext(self._tools.world, attempt.id, attempt.number, attempt.last, attempt)
        result = await self.task.handler(payload, ctx)
        if self.task.profile.durable:
            await self._tools.orders.done(attempt.id, result)
        return result

    async def _outcome(self, running: Running, attempt: Attempt, trace_id: str) -> Any:
        task = running.task
        if task.done() and not task.cancelled() and running.raised is None:
            outcome = task.result()
            if outcome.error is None:
                self._completed.inc()
                return outcome.value
        match running.why:
            case "cancelled":
                self._count("cancelled")
                if self.task.profile.durable:
                    await self._tools.orders.done(attempt.id, None, "cancelled")
                return {CANCELLED: True}
            case "stopping":
                self._count("handed_back")
                raise HandBackError
            case "lost":
                self._count("lost")
                raise FailedError("taken over by another worker", 0.0)
        raise self._failed(running, attempt, trace_id)

    def _failed(self, running: Running, attempt: Attempt, trace_id: str) -> FailedError:
        error = running.raised
        delay: float | None = None
        if not attempt.last and not isinstance(error, GiveUpError):
            delay = self.task.delays[min(attempt.number, len(self.task.delays)) - 1]
            if isinstance(error, RetryLaterError):
                delay = error.seconds
            self._count("retried")
        return FailedError(f"{_reason(running, self.task.timeout)} [{trace_id}]", delay)


def _reason(running: Running, timeout: float) -> str:
    """For operators, who read it beside the payload; the trace is in the log."""
    if running.why == "timeout":
        return f"timeout: took longer than {timeout:g} s"
    error = running.raised
    if error is None:
        return "cancelled by itself"
    if isinstance(error, GameError):
        return f"{error.code}: {error.detail}"[:REASON_CHARS]
    if isinstance(error, GiveUpError | RetryLaterError):
        return str(error)[:REASON_CHARS]
    return f"{type(error).__name__}: {error}"[:REASON_CHARS]
