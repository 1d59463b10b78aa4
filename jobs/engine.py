"""BullMQ, behind a fence: only this module and engine_worker.py know it.

The queues are BullMQ's own, below the prefix `{bull}` (one hash tag, so that they live on a
cluster too): Node services and Bull Board can read them. What was found broken in
bullmq 3.4.4 (docs/dependencies.md) is mended or kept out here, and
tests/contract/test_engine_defects.py holds both to it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import bullmq
from bullmq import redis_connection
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import TimeoutError as RedisTimeoutError

from game.errors import Conflict
from handlers.ports import NORMAL
from jobs import pace
from jobs.pace import Counted, Pace
from state.breaker import Breaker
from state.connect import AWAY, RedisStore

PREFIX = "{bull}"
BACKOFF = "showdown"  # a type that BullMQ does not know, so that it asks us
PRIORITY_SCORE = 0x100000000  # what a priority is worth in the set `prioritized`
DELAY_SCORE = 0x1000  # what a millisecond is worth in the set `delayed`
CONNECTIONS = 60  # of one worker: some three a job
SAME_TIME = 200  # jobs that failed in the same millisecond, on the edge of a page
IDENTITY = re.compile(r"^[a-z][a-z0-9_.]*-[A-Za-z0-9_.-]+$")
STATES = ("wait", "paused", "prioritized", "delayed", "active", "completed", "failed")


# Every queue and worker reads 35 scripts; their texts are the same for all.
redis_connection.loadScript = functools.cache(redis_connection.loadScript)


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
    progress: Any = 0
    started_at: int = 0
    finished_at: int = 0
    result: Any = None
    reason: str | None = None


def client(store: RedisStore, timeout: float, retries: int, connections: int = CONNECTIONS) -> Any:
    """A client for one queue or worker.

    redis-py's own `socket_timeout` of 5 s fights BullMQ's blocking commands, and a pool that
    does not block raises when many jobs end together.
    """
    pool = store.pool(
        PREFIX,
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

    async def pace(self, now: int) -> Pace:
        """How many of its jobs end, and how long the newest took."""
        with self._breaker.guard("jobs.pace"):
            pipe = self._redis.pipeline(transaction=False)
            for kind in ("completed", "failed"):
                key = self._queue.toKey(f"metrics:{kind}")
                pipe.hmget(key, "count", "prevCount", "prevTS")
                pipe.lrange(f"{key}:data", 0, pace.MINUTES - 1)
            pipe.zrevrange(self._queue.toKey("completed"), 0, pace.JOBS - 1)
            *ended, newest = await pipe.execute()
            for job_id in newest:
                pipe.hmget(self._queue.toKey(job_id), *pace.FIELDS)
            wait_ms, run_ms = pace.means(await pipe.execute() if newest else ())
        completed, failed = [
            _rate(counts, points, now) for counts, points in (ended[:2], ended[2:])
        ]
        return Pace(completed, failed, wait_ms, run_ms)

    async def oldest(self) -> int | None:
        """Since when (ms) the job has been waiting that waits for the longest time; one that
        was delayed counts from when its delay is over.
        """
        with self._breaker.guard("jobs.oldest"):
            pipe = self._redis.pipeline(transaction=False)
            pipe.zrange(self._queue.toKey("delayed"), 0, 0, withscores=True)
            pipe.lrange(self._queue.toKey("wait"), -1, -1)
            for priority in range(1, 11):
                first = priority * PRIORITY_SCORE
                key = self._queue.toKey("prioritized")
                pipe.zrangebyscore(key, first, f"({first + PRIORITY_SCORE}", start=0, num=1)
            delayed, *waiting = await pipe.execute()
            ids = [job_id for found in waiting for job_id in found]
            for job_id in ids:
                pipe.hmget(self._queue.toKey(job_id), "timestamp", "opts")
            times = [pace.free_at(*one) for one in await pipe.execute() if one[0]]
        times += [int(score) // DELAY_SCORE for _, score in delayed]
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


def _rate(counts: list[str | None], points: list[str], now: int) -> float:
    count, before, since = (int(one or 0) for one in counts)
    return Counted(count, before, since, [int(one) for one in points]).per_minute(now)


def _stored(job: Any) -> Stored:
    return Stored(
        id=job.id,
        data=job.data,
        priority=job.priority,
        attempts=job.attemptsMade,
        created_at=job.timestamp,
        progress=job.progress,
        started_at=job.processedOn or 0,
        finished_at=job.finishedOn or 0,
        result=job.returnvalue,
        reason=job.failedReason,
    )


def breaker(observe: Callable[[str, str, float], None] | None = None) -> Breaker:
    """For all queues of a process."""
    return Breaker("redis", (*AWAY, RedisTimeoutError), observe)
