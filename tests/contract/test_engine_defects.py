"""What is broken in bullmq 3.4.4 (docs/dependencies.md), seen from our side of the fence."""

from __future__ import annotations

import asyncio
import re
import time
from itertools import pairwise
from typing import Any

import pytest

from jobs.base import JobContext
from jobs.engine import Keep, Order
from jobs.engine_worker import Worker, _pause
from jobs.scheduler import Own, Scheduler
from jobs.timing import Timing
from state.connect import RedisStore
from state.documents import DocumentStore
from state.schedules import ScheduleBook
from tests.contract.jobs_kit import Note, Witness, noting, working

Both = tuple[RedisStore, DocumentStore]


@pytest.fixture
def both(redis: RedisStore) -> Both:
    nothing: Any = None  # no job here is of money
    return redis, nothing


async def test_a_handler_that_raises_cancelled_error_fails_and_its_worker_lives_on(
    both: Both,
) -> None:
    witness = Witness()

    async def cancel_myself(job: Note, ctx: JobContext) -> object:
        if job.text == "bad":
            raise asyncio.CancelledError
        return await witness.note(job, ctx)

    async with working(both, noting(cancel_myself), witness=witness) as bench:
        failed = await bench.ended(await bench.order("bad"))
        assert (failed["status"], failed["attempts"]) == ("failed", 2)
        assert failed.get("reason") == "cancelled by itself"
        assert (await bench.ended(await bench.order("good")))["status"] == "completed"
        # "failed" is told of every attempt; of a dead letter we tell once.
        assert [letter["id"] for letter in witness.dead] == [failed["id"]]


async def test_a_worker_that_stops_without_a_word_is_replaced(both: Both) -> None:
    witness = Witness()
    # The old one may take the job with its last breath: then it is free when its lock ends.
    async with working(both, noting(witness.note), witness=witness, lock_seconds=0.5) as bench:
        (worker,) = bench.office.workers.workers
        worker._worker._worker.closed = True  # as after its loop gave up
        await bench.until(lambda: not worker.healthy)
        assert (await bench.ended(await bench.order("still")))["status"] == "completed"


async def scripts_run(redis: RedisStore) -> int:
    stats = str(await redis.call("INFO", "commandstats"))
    return sum(map(int, re.findall(r"cmdstat_evalsha:calls=(\d+)", stats)))


async def test_while_a_queue_is_empty_one_asks_for_all(both: Both) -> None:
    witness = Witness()
    async with working(both, noting(witness.note, concurrency=32), witness=witness) as bench:
        await bench.ended(await bench.order("first"))
        before = await scripts_run(both[0])
        await asyncio.sleep(2.2)  # BullMQ alone: 31 in vain each second
        assert await scripts_run(both[0]) - before < 12
        ids = [await bench.order(str(n)) for n in range(40)]
        for one in ids:
            await bench.ended(one)


async def test_a_store_that_refuses_is_asked_by_one_and_less_and_less_often(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[float] = []
    monkeypatch.setattr(Worker, "_error", lambda *_: times.append(time.monotonic()))
    witness, redis = Witness(), both[0]
    async with working(both, noting(witness.note, concurrency=32), witness=witness) as bench:
        await bench.ended(await bench.order("before"))
        try:
            await redis.call("REPLICAOF", "127.0.0.1", "1")  # as after a failover
            await asyncio.sleep(2.5)  # BullMQ alone: 32 in vain ten times a second
            assert 2 <= len(times) < 12
            assert max(after - before for before, after in pairwise(times)) > 0.3
        finally:
            await redis.call("REPLICAOF", "NO", "ONE")
        assert (await bench.ended(await bench.order("after")))["status"] == "completed"
        seen = len(times)
        await asyncio.sleep(0.3)
        assert len(times) == seen


def test_a_pause_is_doubled_up_to_the_longest_and_no_two_are_alike() -> None:
    pauses = [[_pause(n) for _ in range(50)] for n in (1, 2, 5, 1_000)]
    for some, longest in zip(pauses, (0.2, 0.4, 2.0, 2.0), strict=True):
        assert longest / 2 <= min(some) < max(some) <= longest


async def test_idle_workers_keep_their_connections_and_many_ends_at_once_find_one(
    both: Both,
) -> None:
    redis = both[0]

    async def made() -> int:
        lines = (await redis.call("INFO", "stats")).splitlines()
        return int(next(x for x in lines if x.startswith("total_connections")).split(":")[1])

    witness, gate = Witness(), asyncio.Event()

    async def together(job: Note, ctx: JobContext) -> object:
        await gate.wait()
        return await witness.note(job, ctx)

    async with working(both, noting(together, concurrency=100), witness=witness) as bench:
        ids = await asyncio.gather(*(bench.order(str(n)) for n in range(100)))
        await bench.until(lambda: len(bench.office.workers._running()) == 100)
        gate.set()
        states = [(await bench.ended(job_id))["status"] for job_id in ids]
        assert set(states) == {"completed"}
        before = await made()
        await asyncio.sleep(2.2)
        assert await made() == before


async def test_a_rate_and_a_limit_over_all_processes_are_kept_and_used_up(both: Both) -> None:
    witness, at_work, most = Witness(), 0, 0

    async def counted(job: Note, ctx: JobContext) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.02)
        at_work -= 1
        await witness.note(job, ctx)

    limited = noting(counted, rate=(20, 0.5))
    async with working(both, limited, witness=witness) as bench, working(both, limited):
        began = time.monotonic()
        for n in range(80):
            await bench.order(str(n))
        await bench.until(lambda: len(witness.ran) == 80)
        # Four windows: three whole ones between the first and the last.
        assert 1.5 * 0.9 <= time.monotonic() - began <= 5.0
        for first in range(61):
            assert witness.times[first + 19] - witness.times[first] < 0.5 * 2.2
            if first + 22 < 80:
                assert witness.times[first + 22] - witness.times[first] > 0.5 * 0.5
    witness, most = Witness(), 0
    limited = noting(counted, at_once=2)
    async with working(both, limited, witness=witness) as bench, working(both, limited):
        for n in range(20):
            await bench.order(str(n))
        await bench.until(lambda: len(witness.ran) == 20, seconds=5.0)
        assert most == 2


async def test_a_delayed_job_is_not_late(both: Both) -> None:
    witness = Witness()
    async with working(both, noting(witness.note), witness=witness) as bench:
        began = time.monotonic()
        await bench.order("later", delay=0.3)
        await bench.until(lambda: witness.ran)
        assert 0.3 <= witness.times[0] - began < 0.3 + 0.4


async def test_an_id_that_could_be_an_automatic_one_is_refused(both: Both) -> None:
    witness = Witness()
    async with working(both, noting(witness.note), witness=witness) as bench:
        for bad in ("7", "test.note", "a:b-c"):
            with pytest.raises(ValueError, match=bad):
                await bench.queues.engine("test.note").add(Order(bad, {}, 1, Keep(1), Keep(1)))
        assert not (await bench.order("named")).isdecimal()


async def test_an_unchanged_schedule_keeps_its_overdue_run_at_the_start(
    both: Both, documents: DocumentStore
) -> None:
    witness, moment = Witness(), [1_000_000_000_000]
    own = (Own("noted", Note(text="tick"), Timing(cron="0 * * * *")),)
    async with working(both, noting(witness.note), witness=witness) as bench:

        async def start() -> Scheduler:
            jobs, book = bench.office._settings.jobs, ScheduleBook(documents)
            clock = Scheduler(book, bench.queues, jobs, lambda: moment[0], bench.metrics.jobs)
            await clock.prepare(own)
            return clock

        overdue = (await (await start()).get("noted"))["next_at"]
        moment[0] = overdue + 1_000  # everything was down for a second too long
        again = await start()
        assert (await again.get("noted"))["next_at"] == overdue
        await again.look()
        await bench.until(lambda: witness.ran == ["tick"])
        assert (await again.get("noted"))["last_at"] == overdue


async def test_a_worker_closes_within_a_bound_whatever_its_handlers_do(both: Both) -> None:
    started, stay = asyncio.Event(), True

    async def deaf(_: Note, __: JobContext) -> None:
        started.set()
        while stay:
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    async with working(both, noting(deaf), stop_seconds=0.1) as bench:
        await bench.order("deaf")
        await started.wait()
        began = time.monotonic()
        await bench.office.workers.stop()
        assert time.monotonic() - began < 4.0
        (worker,) = bench.office.workers.workers
        await bench.until(lambda: not worker.healthy, seconds=6.0)
        stay = False


async def test_a_close_that_is_cancelled_ends(both: Both) -> None:
    started, end = asyncio.Event(), asyncio.Event()

    async def late(_: Note, __: JobContext) -> None:
        started.set()
        await end.wait()

    async with working(both, noting(late)) as bench:
        await bench.order("late")
        await started.wait()
        (worker,) = bench.office.workers.workers
        closing = asyncio.create_task(worker._worker._worker.close())
        await asyncio.sleep(0.05)
        ends = [closing, *(one for one in asyncio.all_tasks() if "teardown" in repr(one))]
        for one in ends:  # as at the end of a process
            one.cancel()
        await asyncio.wait(ends, timeout=5)  # BullMQ alone: turns round and round for ever
        assert closing.cancelled()
        end.set()


async def test_an_end_that_is_cancelled_at_whatever_step_leaves_no_line_open(both: Both) -> None:
    lock, looks = 0.12, 0.12 / 2  # seconds: each so long BullMQ looks for stalled jobs
    for turns in range(24):
        async with working(both, noting(Witness().note), lock_seconds=lock) as bench:
            await asyncio.sleep(looks - 0.008 + 0.0007 * turns)
            await bench.office.workers.stop()
            for _ in range(turns):
                await asyncio.sleep(0)
        async with asyncio.timeout(5):  # the store sees ends a moment later
            while "name={bull}:" in str(await both[0].call("CLIENT", "LIST")):
                pass


async def test_a_job_that_workers_die_with_too_often_is_a_dead_letter_that_is_told_of(
    both: Both,
) -> None:
    witness = Witness()

    async def die(_: Note, ctx: JobContext) -> None:
        """As if its worker had died: nobody renews the lock."""
        witness.ran.append(ctx.job_id)
        await both[0].call("DEL", f"{{bull}}:test.note:{ctx.job_id}:lock")
        await asyncio.sleep(60)

    async with working(both, noting(die), witness=witness, lock_seconds=0.2, stalls=2) as bench:
        job_id = await bench.order("deadly")
        dead = await bench.ended(job_id)
        assert (dead["status"], len(witness.ran)) == ("failed", 3)
        await bench.until(lambda: [letter["id"] for letter in witness.dead] == [job_id])
        assert "stalled" in witness.dead[0]["reason"]


async def test_no_job_goes_before_the_most_urgent_and_a_time_out_has_a_reason(both: Both) -> None:
    async def slow(_: Note, __: JobContext) -> None:
        await asyncio.sleep(60)

    async with working(both, noting(slow, timeout=0.05, delays=())) as bench:
        job_id = await bench.order("slow", key="once", priority=0)
        assert (await bench.queues.get(job_id))["priority"] == 1
        assert (await bench.ended(job_id)).get("reason") == "timeout: took longer than 0.05 s"
        # Ordered again with its key, it is the same job, and stays dead.
        assert await bench.order("slow", key="once") == job_id
        assert (await bench.queues.get(job_id))["status"] == "failed"
