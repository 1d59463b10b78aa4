"""Orders, workers and what is kept of them, in one process on real stores."""

from __future__ import annotations

import asyncio
import random
import re
from typing import ClassVar

import pytest

from config.sections import Redis
from config.settings import Settings, SettingsError
from game.errors import Conflict, DependencyUnavailable, IdempotencyMismatch, NotFound
from handlers.payloads import TaskPayload
from jobs.base import MONEY, GiveUpError, JobContext, RetryLaterError, Task, task
from server.serve import work
from state.connect import RedisStore
from state.documents import DocumentStore
from tests.contract.jobs_kit import Bench, Note, Witness, build, noting, working

Both = tuple[RedisStore, DocumentStore]


class Pay(TaskPayload):
    task: ClassVar[str] = "test.pay"
    to: str = "ann"


def paying(paid: list[str], *, fails: bool = False) -> Task[Pay]:
    async def pay(job: Pay, ctx: JobContext) -> str:
        paid.append(ctx.job_id)
        if fails:
            raise GiveUpError("the bank is closed")
        return f"paid {job.to}"

    return task(Pay, profile=MONEY, delays=(0.05,) * 9)(pay)


@pytest.fixture
async def both(redis: RedisStore, documents: DocumentStore) -> Both:
    return redis, documents


async def relayed(bench: Bench) -> None:
    await bench.office.prepare()
    await bench.office.relay.look()


async def test_an_order_of_money_comes_back_after_redis_has_lost_everything(both: Both) -> None:
    paid: list[str] = []
    bench, _ = build(both, [paying(paid)], witness=Witness(), hired=False)
    await relayed(bench)
    first = await bench.queues.enqueue(Pay(to="ann"), key="k")
    await bench.queues.enqueue(Pay(to="bob"), delay=1.0)
    await both[0].call("FLUSHALL")
    # Known while it is nowhere but in MongoDB, and the same order still.
    assert (await bench.queues.get(first))["status"] == "waiting"
    assert await bench.queues.enqueue(Pay(to="ann"), key="k") == first
    with pytest.raises(IdempotencyMismatch):
        await bench.queues.enqueue(Pay(to="eve"), key="k")
    await bench.office.close()
    async with working(both, paying(paid)) as bench:
        await relayed(bench)
        assert (await bench.ended(first)).get("result") == "paid ann"
        await bench.until(lambda: len(paid) == 2)
        # Its result outlives the queue; nothing is paid again.
        await bench.until(lambda: not bench.office.workers._running())
        await both[0].call("FLUSHALL")
        await relayed(bench)
        await asyncio.sleep(0.1)
        done = await bench.queues.get(first)
        assert (done["status"], done.get("result"), len(paid)) == ("completed", "paid ann", 2)


async def test_an_order_of_money_is_taken_while_redis_is_away(both: Both) -> None:
    paid: list[str] = []
    nowhere = RedisStore("redis://127.0.0.1:1/0", Redis())
    away = nowhere, both[1]
    bench, _ = build(away, [paying(paid), noting(Witness().note)], witness=Witness(), hired=False)
    await asyncio.to_thread(bench.queues.open)
    with pytest.raises(DependencyUnavailable):
        await bench.order("of no money")
    job_id = await bench.queues.enqueue(Pay())
    await bench.office.close()
    async with working(both, paying(paid)) as bench:
        await relayed(bench)
        assert (await bench.ended(job_id)).get("result") == "paid ann"


async def test_a_dead_letter_of_money_waits_for_somebody_to_decide(both: Both) -> None:
    paid: list[str] = []
    witness = Witness()
    async with working(both, paying(paid, fails=True), witness=witness) as bench:
        await relayed(bench)
        job_id = await bench.queues.enqueue(Pay())
        dead = await bench.ended(job_id)
        assert (dead["status"], dead.get("reason")) == ("failed", "the bank is closed")
        assert dead["attempts"] == 1
        assert "trace_id" in dead
        await bench.until(lambda: len(witness.dead) == 1)
        (letter,) = await bench.queues.dead_letters(None, 10, None)
        assert letter["id"] == job_id
        assert await bench.queues.dead_letters(None, 10, f"{dead['finished_at']}-{job_id}") == []
        await bench.queues.retry(job_id)
        await bench.until(lambda: len(paid) == 2)
        await bench.ended(job_id)
        await bench.queues.discard(job_id, "settled by hand", "eve")
        await both[0].call("FLUSHALL")
        await relayed(bench)
        assert (await bench.queues.get(job_id))["status"] == "cancelled"
        with pytest.raises(NotFound):
            await bench.queues.retry(job_id)
        with pytest.raises(Conflict):
            await bench.queues.discard(job_id, "again", "eve")
        assert len(paid) == 2


async def test_a_job_is_tried_again_as_often_and_as_late_as_its_task_says(both: Both) -> None:
    tries: dict[str, list[int]] = {}

    async def fail(job: Note, ctx: JobContext) -> str:
        tries.setdefault(job.text, []).append(ctx.attempt)
        if job.text == "give up":
            raise GiveUpError("no use")
        if job.text == "later" and ctx.attempt == 1:
            raise RetryLaterError("in a moment", 0.3)
        if job.text == "later":
            return "done"
        raise ValueError(job.text)

    async with working(both, noting(fail, delays=(0.05, 0.05))) as bench:
        ids = {name: await bench.order(name) for name in ("fails", "give up", "later")}
        ends = {name: await bench.ended(job_id) for name, job_id in ids.items()}
        assert tries == {"fails": [1, 2, 3], "give up": [1], "later": [1, 2]}
        assert ends["fails"].get("reason") == "ValueError: fails"
        late = ends["later"].get("started_at", 0) - ends["later"]["created_at"]
        assert late >= 300


async def test_priorities_are_obeyed_when_there_is_more_than_can_be_done(both: Both) -> None:
    witness = Witness()
    async with working(both, noting(witness.note, concurrency=1), witness=witness) as bench:
        await bench.queues.pause("test.note")
        priorities = [random.randint(1, 10) for _ in range(60)]
        for number, priority in enumerate(priorities):
            await bench.order(f"{priority:02}-{number:02}", priority=priority)
        stats = await bench.queues.stats("test.note")
        assert (stats["paused"], stats["waiting"]) == (True, 60)
        assert stats["oldest_ms"] > 0
        await bench.queues.resume("test.note")
        await bench.until(lambda: len(witness.ran) == 60)
        assert witness.ran == sorted(witness.ran)


async def test_jobs_are_taken_back_where_they_wait_and_where_they_run(both: Both) -> None:
    started = asyncio.Event()

    async def long(_: Note, ctx: JobContext) -> None:
        await ctx.progress(1, 4)
        started.set()
        await asyncio.sleep(60)

    async with (
        working(both, noting(long, concurrency=1)) as one,
        working(both, noting(long), hired=False) as other,
    ):
        runs = await one.order("runs")
        await started.wait()
        assert (await other.queues.get(runs)).get("progress") == {"done": 1, "total": 4}
        waits = await other.order("waits", delay=60, key="k")
        assert (await other.queues.cancel(waits))["status"] == "cancelled"
        assert (await other.queues.get(waits))["status"] == "cancelled"
        assert await other.order("waits", key="k") == waits
        assert (await other.queues.cancel(runs))["status"] in {"running", "cancelled"}
        assert (await other.ended(runs))["status"] == "cancelled"
        for job_id in (runs, waits):
            with pytest.raises(Conflict):
                await other.queues.cancel(job_id)
        with pytest.raises(NotFound):
            await other.queues.cancel("test.note-nobody")
        assert await other.queues.dead_letters(None, 10, None) == []


async def test_what_runs_at_the_end_is_handed_back_and_that_is_no_failed_attempt(
    both: Both,
) -> None:
    attempts: list[int] = []

    async def long(_: Note, ctx: JobContext) -> str:
        attempts.append(ctx.attempt)
        if len(attempts) == 1:
            await asyncio.sleep(60)
        return "done"

    bench, _ = build(both, [noting(long)], witness=Witness(), hired=False)
    await asyncio.to_thread(bench.queues.open)
    job_id = await bench.order("long")
    async with working(both, noting(long), stop_seconds=0.05) as first:
        await first.until(lambda: attempts)
    async with working(both, noting(long)) as second:
        ended = await second.ended(job_id)
    assert (ended.get("result"), attempts) == ("done", [1, 1])
    await bench.office.close()


async def test_old_jobs_are_taken_away_and_results_only_on_request(both: Both) -> None:
    witness = Witness()
    async with working(both, noting(witness.note), witness=witness) as bench:
        ids = [await bench.order(str(n)) for n in range(5)]
        for job_id in ids:
            await bench.ended(job_id)
        assert len(await bench.queues.find("test.note", "completed", 3, 0)) == 3
        assert await bench.queues.clean("test.note", "completed", 60, 100) == 0
        assert await bench.queues.clean("test.note", "completed", 0, 2) == 2
        assert await bench.queues.clean("test.note", "completed", 0, 100) == 3
        with pytest.raises(NotFound):
            await bench.queues.get(ids[0])
        with pytest.raises(NotFound):
            await bench.queues.stats("test.nothing")


async def test_a_payload_of_another_version_is_a_dead_letter_at_once(both: Both) -> None:
    witness = Witness()
    async with working(both, noting(witness.note), witness=witness) as bench:
        await bench.queues.relay("test.note", "test.note-old", {"gone": 1}, 0, 5)
        old = await bench.ended("test.note-old")
        assert (old["attempts"], old.get("reason")) == (1, "the payload is not the task's")


async def test_a_tally_of_attempts_is_kept(both: Both) -> None:
    witness = Witness()
    async with working(both, noting(witness.note), witness=witness) as bench:
        await bench.ended(await bench.order("counted"))
        await bench.office.workers.show()
        text = bench.metrics.scrape().decode()
        assert 'showdown_job_attempts_total{outcome="completed",task="test.note"} 1.0' in text
        assert 'showdown_job_wait_seconds_count{task="test.note"} 1.0' in text
        assert 'showdown_queue_jobs{queue="test.note",state="waiting"} 0.0' in text
        await bench.ended(await bench.order("later", delay=0.5))  # which is no waiting
        waited = re.search(r"showdown_job_wait_seconds_sum.* ([\d.]+)", scraped(bench))
        assert waited
        assert float(waited[1]) < 0.5


def scraped(bench: Bench) -> str:
    return bench.metrics.scrape().decode()


def test_a_queue_that_is_named_and_cannot_be_worked_on_is_refused_at_the_start() -> None:
    for queue, lacks in (("email.send", "EMAIL__HOST"), ("withdrawals.settle", "SETTLEMENT__URL")):
        with pytest.raises(SettingsError, match=f"{queue} needs SHOWDOWN_{lacks}"):
            work(Settings(), ("books.audit", queue))
    with pytest.raises(SettingsError, match="no such queue: nothing"):
        work(Settings(), ("nothing",))


async def test_what_this_process_lacks_the_settings_for_it_leaves_to_others(both: Both) -> None:
    witness = Witness()
    needy = noting(witness.note, needs="email.host")
    bench, _ = build(both, [needy, paying([])], witness=witness)
    await asyncio.to_thread(bench.queues.open)
    assert bench.office.beyond == {"test.note": "SHOWDOWN_EMAIL__HOST"}
    assert [worker.task.name for worker in bench.office.workers.workers] == ["test.pay"]
    # Nobody moves what was delayed, so it counts as waiting when its time has come.
    await bench.order("delayed", delay=0.2)
    assert (await bench.queues.stats("test.note"))["oldest_ms"] == 0
    async with asyncio.timeout(10):
        while not (await bench.queues.stats("test.note"))["oldest_ms"]:  # noqa: ASYNC110 - time tells
            await asyncio.sleep(0.05)
    assert (await bench.queues.stats("test.note"))["delayed"] == 1
    await bench.office.close()
