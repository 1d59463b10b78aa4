"""BullMQ, behind a fence: the only module that knows it.

The queues are BullMQ's own, below the prefix `{bull}` (one hash tag, so that they live on a
cluster too): Node services and Bull Board can read them. What was found broken in
bullmq 3.4.4 (docs/dependencies.md) is mended or kept out here, and
tests/contract/test_engine_defects.py holds this module to it.
"""

from __future__ import annotations

import asyncio
import functools
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import bullmq
from bullmq import redis_connection
from bullmq.custom_errors import DelayedError
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import TimeoutError as RedisTimeoutError

from config.logging import get_logger
from game.errors import Conflict
from handlers.ports import NORMAL
from state.breaker import Breaker
from state.connect import AWAY

PREFIX = "{bull}"
BACKOFF = "showdown"  # a type that BullMQ does not know, so that it asks us
GIVE_UP = -1
PRIORITY_SCORE = 0x100000000  # what a priority is worth in the set `prioritized`
# A worker that waits for a job looks in between: for one that was delayed elsewhere, or
# held back by a limit, nobody rings.
DRAIN_SECONDS, LIMITED_SECONDS = 1.0, 0.2
RETRY_MS = 500  # between two tries to reach Redis
CONNECTIONS = 60  # of one worker: some three a job
CLOSE_SECONDS = 2.0
SAME_TIME = 200  # jobs that failed in the same millisecond, on the edge of a page
IDENTITY = re.compile(r"^[a-z][a-z0-9_.]*-[A-Za-z0-9_.-]+$")
STATES = ("wait", "paused", "prioritized", "delayed", "active", "completed", "failed")

log = get_logger(__name__)

# Every queue and worker reads 35 scripts; their texts are the same for all.
redis_connection.loadScript = functools.cache(redis_connection.loadScript)


class FailedError(Exception):
    """An attempt failed: why, and seconds to the next one; None: there shall be none."""

    def __init__(self, reason: str, delay: float | None) -> None:
        super().__init__(reason)
        self.delay_ms = GIVE_UP if delay is None else max(1, round(delay * 1000))


class HandBackError(Exception):
    """The job shall be somebody else's; that is no failed attempt."""


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept of jobs that are over: so long, so many. No age: for ever."""

    seconds: int | None
    count: int | None = None

    def option(self) -> Any:
        """As BullMQ wants it."""
        if self.seconds is None:
            return False
        return {"age": self.seconds, **({"count": self.count} if self.count else {})}


@dataclass(frozen=True, slots=True)
class Order:
    """A job that shall be in a queue. An id that is there already stays as it is."""

    id: str
    data: dict[str, Any]
    attempts: int
    keep: Keep
    keep_failed: Keep
    delay_ms: int = 0
    priority: int = NORMAL


@dataclass(frozen=True, slots=True)
class Stored:
    """A job as it is in its queue; times in ms."""

    id: str
    data: dict[str, Any]
    priority: int
    attempts: int
    created_at: int
    delay: int = 0
    progress: Any = 0
    started_at: int = 0
    finished_at: int = 0
    result: Any = None
    reason: str | None = None


def client(url: str, timeout: float, retries: int, connections: int = CONNECTIONS) -> Any:
    """A client for one queue or worker.

    redis-py's own `socket_timeout` of 5 s fights BullMQ's blocking commands, and a pool that
    does not block raises when many jobs end together.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        max_connections=connections,
        timeout=20,
        socket_timeout=timeout,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries),
    )
    return Redis.from_pool(pool)  # which it closes with itself


class Queue:
    """One queue, for those who order and ask. Everything goes through one breaker."""

    def __init__(self, name: str, redis: Any, breaker: Breaker) -> None:
        self.name = name
        self._redis = redis
        self._queue = bullmq.Queue(name, {"connection": redis, "prefix": PREFIX})
        self._breaker = breaker

    async def add(self, order: Order) -> None:
        """Put a job in, unless it has been put in before.

        Raises:
            DependencyUnavailable: Redis did not answer; the job may be there.
            ValueError: the id could be one of BullMQ's own, and would be overwritten.
        """
        if not IDENTITY.match(order.id):
            raise ValueError(order.id)
        options = {
            "jobId": order.id,
            "attempts": order.attempts,
            "backoff": {"type": BACKOFF, "delay": 0},
            "delay": order.delay_ms,
            "priority": order.priority,  # never 0: that would be before 1
            "removeOnComplete": order.keep.option(),
            "removeOnFail": order.keep_failed.option(),
            "stackTraceLimit": 0,  # traces are the log's
        }
        with self._breaker.guard("jobs.add"):
            await self._queue.add(self.name, order.data, options)

    async def get(self, job_id: str) -> Stored | None:
        """A job."""
        with self._breaker.guard("jobs.get"):
            job = await self._queue.getJob(job_id)
        return _stored(job) if job else None

    async def state(self, job_id: str) -> str:
        """BullMQ's word for where a job is: waiting, prioritized, …, or unknown."""
        with self._breaker.guard("jobs.state"):
            return str(await self._queue.getJobState(job_id))

    async def missing(self, job_ids: Iterable[str]) -> set[str]:
        """Those that are not there."""
        ids = list(job_ids)
        with self._breaker.guard("jobs.missing"):
            pipe = self._redis.pipeline(transaction=False)
            for job_id in ids:
                pipe.exists(self._queue.toKey(job_id))
            there = await pipe.execute()
        return {job_id for job_id, exists in zip(ids, there, strict=True) if not exists}

    async def remove(self, job_id: str) -> bool:
        """Take a job out; False when a worker holds it."""
        with self._breaker.guard("jobs.remove"):
            return bool(await self._queue.remove(job_id))

    async def retry(self, stored: Stored) -> None:
        """Let a failed job run again, with all its attempts.

        Raises:
            Conflict: it has not failed.
        """
        with self._breaker.guard("jobs.retry"):
            job = await self._queue.getJob(stored.id)
            try:
                await job.retry("failed", {"resetAttemptsMade": True})
            except TypeError:
                raise Conflict("The job has not failed.") from None

    async def page(self, states: Iterable[str], start: int, count: int) -> list[Stored]:
        """Jobs in these states."""
        oldest_first = "failed" not in (kinds := list(states))
        with self._breaker.guard("jobs.page"):
            jobs = await self._queue.getJobs(kinds, start, start + count - 1, oldest_first)
        return [_stored(job) for job in jobs if job]

    async def failed(self, at: int, before: str, limit: int) -> list[Stored]:
        """Those that failed before that (ms, and at the same time by id), newest first."""
        key = self._queue.toKey("failed")
        with self._breaker.guard("jobs.failed"):
            pairs = await self._redis.zrevrangebyscore(
                key, at, "-inf", start=0, num=limit + SAME_TIME, withscores=True
            )
            ids = [job_id for job_id, score in pairs if (score, job_id) < (at, before)]
            jobs = [await self._queue.getJob(job_id) for job_id in ids[:limit]]
        return [_stored(job) for job in jobs if job]

    async def counts(self) -> dict[str, int]:
        """How many jobs there are, by BullMQ's states."""
        with self._breaker.guard("jobs.counts"):
            counts: dict[str, int] = await self._queue.getJobCounts(*STATES)
            return counts

    async def oldest(self) -> int | None:
        """Since when (ms) the job has been waiting that waits for the longest time."""
        with self._breaker.guard("jobs.oldest"):
            pipe = self._redis.pipeline(transaction=False)
            pipe.lrange(self._queue.toKey("wait"), -1, -1)
            for priority in range(1, 11):
                first = priority * PRIORITY_SCORE
                key = self._queue.toKey("prioritized")
                pipe.zrangebyscore(key, first, f"({first + PRIORITY_SCORE}", start=0, num=1)
            ids = [job_id for found in await pipe.execute() for job_id in found]
            for job_id in ids:
                pipe.hmget(self._queue.toKey(job_id), "timestamp")
            times = [int(since) for (since,) in await pipe.execute() if since]
        return min(times, default=None)

    async def pause(self, *, paused: bool) -> None:
        """Start no more jobs, in any process; or go on."""
        with self._breaker.guard("jobs.pause"):
            await (self._queue.pause() if paused else self._queue.resume())

    async def paused(self) -> bool:
        """Whether it is."""
        with self._breaker.guard("jobs.paused"):
            return bool(await self._queue.isPaused())

    async def clean(self, state: str, older_ms: int, limit: int) -> list[str]:
        """Take jobs away that are in a state for so long; their ids."""
        with self._breaker.guard("jobs.clean"):
            removed: list[str] = await self._queue.clean(older_ms, limit, state)
            return removed


def _stored(job: Any) -> Stored:
    return Stored(
        id=job.id,
        data=job.data,
        priority=job.priority,
        attempts=job.attemptsMade,
        created_at=job.timestamp,
        delay=job.delay,
        progress=job.progress,
        started_at=job.processedOn or 0,
        finished_at=job.finishedOn or 0,
        result=job.returnvalue,
        reason=job.failedReason,
    )


@dataclass(slots=True)
class Attempt:
    """One try of a job, in the hands of its worker."""

    id: str
    data: dict[str, Any]
    number: int
    last: bool
    waited: float
    """Seconds since it could have started."""
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
        }
        if self.rate:
            jobs, seconds = self.rate
            options["limiter"] = {"max": jobs, "duration": round(seconds * 1000)}
        return options


def _delay(_made: int, _type: str, error: Exception, _job: Any) -> int:
    return error.delay_ms if isinstance(error, FailedError) else GIVE_UP


class _Worker(bullmq.Worker):
    """BullMQ's, which waits for its limits, and keeps nothing when it closes."""

    limitUntil: int  # noqa: N815 - BullMQ's name

    async def waitForJob(self) -> int:  # noqa: N802 - BullMQ's name
        """As BullMQ, but a rate that is used up is waited for: there it is never read."""
        if self.limitUntil > 0:
            await asyncio.sleep(min(self.limitUntil / 1000, DRAIN_SECONDS))
            self.limitUntil = 0
            return 0
        waited: int = await super().waitForJob()
        return waited

    async def getNextJob(self, token: str) -> Any:  # noqa: N802 - BullMQ's name
        """As BullMQ, but what comes while we close goes back: there nobody would run it."""
        job = await super().getNextJob(token)
        if job and self.closing:
            await _hand_back(job, token)
            return None
        return job


async def _hand_back(job: Any, token: str) -> None:
    with suppress(TypeError):  # it is somebody else's already
        await job.moveToDelayed(round(time.time() * 1000), token)


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
        url: str,
        terms: Terms,
        process: Process,
        lost: Callable[[list[str]], None],
        died: Callable[[str, int, str], None],
    ) -> None:
        self.queue = queue
        self._url = url
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
        redis = client(self._url, 30.0, 40)
        # In a thread: it reads the scripts.
        self._worker = worker = await asyncio.to_thread(self._make, redis)
        try:
            # Until it knows the version it waits in whole seconds, and is late.
            await worker.blockingRedisConnection.getRedisVersion()
            await self._limit_all_processes(redis)
            await worker.run()
        finally:
            await self._end(worker)
            await redis.aclose()
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
        free_at = job.timestamp + job.delay
        return Attempt(
            id=job.id,
            data=job.data,
            number=made,
            last=made >= job.opts.get("attempts", 1),
            waited=max(0.0, time.time() - free_at / 1000),
            _job=job,
            _token=token,
            _lock_ms=round(self._terms.lock_seconds * 1000),
        )

    def close(self) -> None:
        """Take no more jobs; `run` ends when those that run have ended."""
        worker = self._worker
        if worker is None:
            return
        worker.closing = True
        if worker.waiting:
            worker.waiting.cancel()

    async def _end(self, worker: Any) -> None:
        """BullMQ's `close` shields itself from every cancellation, so it gets a bound."""
        closing = asyncio.ensure_future(worker.close())
        bound = self._terms.stop_seconds + CLOSE_SECONDS
        _, late = await asyncio.wait([closing], timeout=bound)
        if late:
            log.warning("worker_forced", queue=self.queue)
            await asyncio.wait([asyncio.ensure_future(worker.close(force=True))], timeout=1.0)
        self._worker = None


def breaker(observe: Callable[[str, str, float], None] | None = None) -> Breaker:
    """For all queues of a process."""
    return Breaker("redis", (*AWAY, RedisTimeoutError), observe)
