"""BullMQ's workers, behind the fence of jobs/engine.py."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import bullmq
from bullmq.custom_errors import DelayedError

from config.logging import get_logger
from jobs.engine import PREFIX, client
from jobs.pace import POINTS
from state.connect import RedisStore

GIVE_UP = -1
# A worker that waits for a job looks in between: for one that was delayed elsewhere, or
# held back by a limit, nobody rings.
DRAIN_SECONDS, LIMITED_SECONDS = 1.0, 0.2
RETRY_MS = 500  # between two tries to reach Redis
# Before asking again a store that answers with a refusal: read-only after a failover, or full.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
CLOSE_SECONDS, FORCE_SECONDS = 2.0, 1.0
SILENT_SECONDS = 15.0  # of a store that is gone; BullMQ itself waits for at most 10
RETRIES = 40  # of a command, within some 40 s

log = get_logger(__name__)


class FailedError(Exception):
    """An attempt failed: why, and seconds to the next one; None: there shall be none."""

    def __init__(self, reason: str, delay: float | None) -> None:
        super().__init__(reason)
        self.delay_ms = GIVE_UP if delay is None else max(1, round(delay * 1000))


class HandBackError(Exception):
    """The job shall be somebody else's; that is no failed attempt."""


@dataclass(slots=True)
class Attempt:
    """One try of a job, in the hands of its worker."""

    id: str
    data: dict[str, Any]
    number: int
    last: bool
    waited: float | None
    """Seconds since it could have started; of one that was begun before, nobody knows."""
    _job: Any = field(repr=False)
    _token: str = field(repr=False)
    _lock_ms: int = field(repr=False)

    async def progress(self, done: int, total: int) -> None:
        """Show how far it has come."""
        await self._job.updateProgress({"done": done, "total": total})

    async def hold(self) -> bool:
        """Renew the lock; False when it is somebody else's."""
        scripts = self._job.backend.scripts
        return bool(await scripts.extendLock(self.id, self._token, self._lock_ms))


Process = Callable[[Attempt], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Terms:
    """How a worker works."""

    concurrency: int
    lock_seconds: float
    stalls: int
    stop_seconds: float
    at_once: int | None = None
    rate: tuple[int, float] | None = None

    def options(self, redis: Any) -> dict[str, Any]:
        """As BullMQ wants them."""
        limited = self.at_once is not None or self.rate is not None
        lock_ms = round(self.lock_seconds * 1000)
        options: dict[str, Any] = {
            "connection": redis,
            "prefix": PREFIX,
            "autorun": False,
            "concurrency": self.concurrency,
            "lockDuration": lock_ms,
            "stalledInterval": lock_ms // 2,
            "maxStalledCount": self.stalls,
            "runRetryDelay": RETRY_MS,
            "drainDelay": LIMITED_SECONDS if limited else DRAIN_SECONDS,
            "settings": {"backoffStrategy": _delay},
            "metrics": {"maxDataPoints": POINTS},
        }
        if self.rate:
            jobs, seconds = self.rate
            options["limiter"] = {"max": jobs, "duration": round(seconds * 1000)}
        return options


def _delay(_made: int, _type: str, error: Exception, _job: Any) -> int:
    return error.delay_ms if isinstance(error, FailedError) else GIVE_UP


class _Worker(bullmq.Worker):
    """BullMQ's, which waits for its limits, asks for one job at a time while there is none or
    the store refuses, less and less often then, and keeps nothing when it closes.
    """

    limitUntil: int  # noqa: N815 - BullMQ's name
    stalledCheckTimer: Any = None  # noqa: N815 - and here

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle = asyncio.Lock()
        self._refusals = 0

    async def waitForJob(self) -> int:  # noqa: N802 - BullMQ's name
        """As BullMQ, but a rate that is used up is waited for: there it is never read."""
        if self.limitUntil > 0:
            await asyncio.sleep(min(self.limitUntil / 1000, DRAIN_SECONDS))
            self.limitUntil = 0
            return 0
        waited: int = await super().waitForJob()
        return waited

    async def close(self, force: bool = False) -> None:  # noqa: FBT002 - BullMQ's
        """As BullMQ, but who cancels this ends it: there it shields its own task, and turns
        round and round, without ever letting go, when that one is cancelled (as all are at the
        end of a process).
        """
        self.closing = True
        if self.waiting:
            self.waiting.cancel()
        if force:
            self.forceClosing = True
            self.cancelProcessing()
        elif self.processing:
            await asyncio.wait(self.processing)
        await self.lockManager.close()
        try:
            await self.backend.close(force=force)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is over
            self.emit("error", error)
        self.closed = True

    async def let_go(self) -> None:
        """End, within a bound, whatever may ask Redis when its loop has ended."""
        self.cancelProcessing()
        asking = set(self.processing)
        if timer := self.stalledCheckTimer:
            timer.stop()
            asking.add(timer._task)  # noqa: SLF001 - BullMQ cancels it and does not look after it
        if asking:
            await asyncio.wait(asking, timeout=FORCE_SECONDS)

    async def getNextJob(self, token: str) -> Any:  # noqa: N802 - BullMQ's name
        """As BullMQ, but while the queue is empty one of us waits, where BullMQ lets every
        other ask in vain each time; and what comes while we close goes back: there nobody
        would run it.
        """
        if self._in_vain:
            async with self._idle:
                if self.closing:
                    return None
                if self._in_vain:
                    return await self._next(token)
        return await self._next(token)

    @property
    def _in_vain(self) -> bool:
        return bool(self.drained or self._refusals)

    async def _next(self, token: str) -> Any:
        try:
            job = await super().getNextJob(token)
        except Exception:
            self._refusals += 1
            if not self.closing:  # BullMQ's own pause is the same each time, for each of us
                await asyncio.sleep(_pause(self._refusals))
            raise
        self._refusals = 0
        if job and self.closing:
            await _hand_back(job, token)
            return None
        return job


def _pause(refusals: int) -> float:
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(refusals, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards nothing


async def _hand_back(job: Any, token: str) -> None:
    with suppress(TypeError):  # it is somebody else's already
        await job.moveToDelayed(round(time.time() * 1000), token)


async def _hang_up(worker: _Worker, redis: Any) -> None:
    """Close its lines, once nobody is left who would open others."""
    await worker.let_go()
    await redis.aclose()


class Worker:
    """Takes jobs out of one queue and has them processed, for as long as `run` runs.

    Args:
        process: gets an Attempt; returns the result, or raises FailedError or HandBackError.
        lost: told the ids of jobs that are somebody else's now.
        died: told of a dead letter: its id, the attempts made, and the reason.
    """

    def __init__(
        self,
        queue: str,
        store: RedisStore,
        terms: Terms,
        process: Process,
        lost: Callable[[list[str]], None],
        died: Callable[[str, int, str], None],
    ) -> None:
        self.queue = queue
        self._store = store
        self._terms = terms
        self._process = process
        self._lost = lost
        self._died = died
        self._worker: Any = None

    @property
    def running(self) -> bool:
        """Whether it takes jobs."""
        return self._worker is not None and self._worker.running

    async def run(self) -> None:
        """Work until closed; ends earlier when BullMQ's loop ends by itself."""
        redis = client(self._store, SILENT_SECONDS, RETRIES)
        # In a thread: it reads the scripts.
        self._worker = worker = await asyncio.to_thread(self._make, redis)
        try:
            # Until it knows the version it waits in whole seconds, and is late.
            await worker.blockingRedisConnection.getRedisVersion()
            await self._limit_all_processes(redis)
            await worker.run()
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if not worker.closing or (me and me.cancelling()):
                raise  # else it was only `_cut`
        finally:
            try:
                await self._end(worker)
            finally:
                # In a task of its own: a cancellation that comes now shall leave no line open.
                await asyncio.shield(_hang_up(worker, redis))
        me = asyncio.current_task()
        if me and me.cancelling():  # BullMQ swallows a cancellation that comes as it ends
            raise asyncio.CancelledError

    def _make(self, redis: Any) -> Any:
        worker = _Worker(self.queue, self._one, self._terms.options(redis))
        worker.on("error", self._error)
        worker.on("lockRenewalFailed", self._lost)
        worker.on("failed", self._failed)
        return worker

    async def _limit_all_processes(self, redis: Any) -> None:
        key = f"{PREFIX}:{self.queue}:meta"
        if self._terms.at_once:
            await redis.hset(key, "concurrency", self._terms.at_once)
        else:
            await redis.hdel(key, "concurrency")

    def _error(self, error: BaseException, *_: object) -> None:
        log.warning("queue_error", queue=self.queue, error=type(error).__name__, text=str(error))

    def _failed(self, job: Any, error: BaseException) -> None:
        """BullMQ tells of every attempt that failed; only the last one is an end."""
        if job.finishedOn:
            self._died(job.id, job.attemptsMade, str(error))

    async def _one(self, job: Any, token: str) -> Any:
        """What BullMQ calls. No CancelledError but that of our own task may leave here: it
        would end BullMQ's loop without a word.
        """
        try:
            return await self._process(self._attempt(job, token))
        except HandBackError:
            await _hand_back(job, token)
            raise DelayedError from None
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if me and me.cancelling():
                raise
            raise FailedError("cancelled by itself", 0.0) from None

    def _attempt(self, job: Any, token: str) -> Attempt:
        made = job.attemptsMade + 1
        # BullMQ sets `delay` to 0 when it is over; in the options it stays.
        free_at = job.timestamp + job.opts.get("delay", 0)
        first = job.attemptsStarted == 1
        return Attempt(
            id=job.id,
            data=job.data,
            number=made,
            last=made >= job.opts.get("attempts", 1),
            waited=max(0.0, time.time() - free_at / 1000) if first else None,
            _job=job,
            _token=token,
            _lock_ms=round(self._terms.lock_seconds * 1000),
        )

    def close(self) -> None:
        """Take no more jobs; `run` ends when those that run have ended, within a bound."""
        worker = self._worker
        if worker is None:
            return
        worker.closing = True
        if worker.waiting:
            worker.waiting.cancel()
        loop, longest = asyncio.get_running_loop(), self._terms.stop_seconds + CLOSE_SECONDS
        loop.call_later(CLOSE_SECONDS, self._cut, worker)
        loop.call_later(longest, worker.cancelProcessing)

    def _cut(self, worker: Any) -> None:
        """Ask for no more jobs: a store that is gone would be waited for, by one queue's worker
        after the other.
        """
        if not worker.jobs:
            worker.cancelProcessing()

    async def _end(self, worker: Any) -> None:
        """Wait for what runs, within a bound; without a job, only for who asks for one."""
        bound = CLOSE_SECONDS + (self._terms.stop_seconds if worker.jobs else 0)
        try:
            async with asyncio.timeout(bound):
                await worker.close()
        except TimeoutError:
            log.warning("worker_forced", queue=self.queue)
            with suppress(TimeoutError):
                async with asyncio.timeout(FORCE_SECONDS):
                    await worker.close(force=True)
        self._worker = None
