"""The two clients: what they do when a store is slow, frozen, dead, emptied or back."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError, OperationFailure
from redis.exceptions import ResponseError

from config.sections import Mongo, Redis
from game.errors import DependencyUnavailable
from state.breaker import FAILURES
from state.connect import Question, RedisStore, Script
from state.documents import DocumentStore
from state.embedded import EmbeddedDocuments, EmbeddedValkey
from state.processes import Daemon
from tests.fixtures import Stores

BEAT, DUEL = Script("live_beat"), Script("duel_open")
TIMEOUT = 0.5
PATIENCE = 20.0
KEYS = ["{t}nodes", "{t}node"]  # of one slot, since this runs on a cluster too
NEWS, OLD = "{t}news", "{t}old"
QUICK = Redis(timeout_seconds=TIMEOUT, commands=10)


@contextmanager
def frozen(store: Daemon) -> Iterator[None]:
    """The store stands still, its connections stay open."""
    assert store.pid
    os.kill(store.pid, signal.SIGSTOP)
    threads = Path(f"/proc/{store.pid}/task")
    while any(_state(thread) != "T" for thread in threads.iterdir()):
        pass
    try:
        yield
    finally:
        os.kill(store.pid, signal.SIGCONT)


def _state(thread: Path) -> str:
    return (thread / "stat").read_text().rpartition(")")[2].split()[0]


def kill(store: Daemon) -> None:
    assert store.pid
    os.kill(store.pid, signal.SIGKILL)


async def eventually(check: Callable[[], Any]) -> None:
    """Wait until a call goes through."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await check()
            except DependencyUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def refused(call: Any) -> float:
    """The seconds that it took to be told that the store is away."""
    started = time.perf_counter()
    with pytest.raises(DependencyUnavailable):
        await call
    return time.perf_counter() - started


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    async with EmbeddedValkey(tmp_path) as store:
        yield store


@pytest.fixture
async def own(valkey: EmbeddedValkey) -> AsyncIterator[RedisStore]:
    """A quick client of a Valkey that may be killed."""
    async with RedisStore(valkey.url, QUICK) as store:
        yield store


@pytest.fixture
async def quick(stores: Stores, redis: RedisStore) -> AsyncIterator[RedisStore]:
    """A quick client of the session's Valkey."""
    del redis  # emptied
    async with RedisStore(stores.redis_url, QUICK) as store:
        yield store


# Scripts and commands


@pytest.mark.parametrize("loss", [("SCRIPT", "FLUSH"), ("FLUSHALL",)])
async def test_a_script_runs_whatever_redis_forgot(redis: RedisStore, loss: list[str]) -> None:
    for _ in range(3):
        await redis.run(BEAT, KEYS, ["n1"])
        await redis.call(*loss)
    now, seats = await redis.run(BEAT, KEYS, ["n1"])
    assert now > 0
    assert seats == 0


async def test_a_script_is_sent_whole_only_when_redis_does_not_know_it(redis: RedisStore) -> None:
    await redis.call("CONFIG", "RESETSTAT")
    await redis.call("SCRIPT", "FLUSH")
    for _ in range(5):
        await redis.run(BEAT, KEYS, ["n1"])
    stats = await redis.call("INFO", "commandstats")
    assert "cmdstat_eval:calls=1," in stats
    assert "cmdstat_evalsha:calls=5," in stats


async def test_a_batch_is_answered_in_its_order(redis: RedisStore) -> None:
    commands = [("SET", f"k{n}", n) for n in range(50)] + [("GET", f"k{n}") for n in range(50)]
    answers = await redis.batch(commands)
    assert answers[50:] == [str(n) for n in range(50)]
    assert await redis.batch([]) == []


async def test_questions_are_asked_at_once_also_of_a_redis_that_forgot_the_script(
    redis: RedisStore,
) -> None:
    await redis.call("HSET", "{d}duel:7", "state", "dealt")
    await redis.call("SET", "{d}offer", "7")
    await redis.call("SET", "elsewhere", "5")
    keys = ["{d}player", "{d}offer", "{d}incoming"]
    asked = [Question.of(DUEL, keys, ["{d}duel:"], str.upper), Question(("GET", "elsewhere"), int)]
    for _ in range(2):
        await redis.call("SCRIPT", "FLUSH")
        assert [await redis.ask(asked) for _ in range(2)] == [["DEALT", 5]] * 2
    assert await redis.ask([]) == []


async def test_of_a_batch_that_fails_no_error_is_left_over(
    valkey: EmbeddedValkey, own: RedisStore
) -> None:
    left: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: left.append(context))
    await own.call("SET", "text", "x")
    wrong = [("INCR", "text"), ("GET", "text"), ("INCR", "text")]
    for commands in (wrong, wrong[:2]):
        with pytest.raises(ResponseError):
            await own.batch(commands)
    with frozen(valkey):
        asking = asyncio.create_task(own.batch([("GET", "text")] * 3))
        await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait([asking])
        await refused(own.batch([("GET", "text")] * 3))
    await eventually(lambda: own.call("GET", "text"))
    gc.collect()
    assert left == []


async def test_a_wrong_call_is_no_outage(redis: RedisStore) -> None:
    await redis.call("SET", "text", "x")
    for _ in range(FAILURES + 1):
        with pytest.raises(ResponseError):
            await redis.call("INCR", "text")
    assert not redis.breaker.open


@pytest.mark.parametrize("wrong", [None, "\ud800"])
async def test_what_cannot_be_sent_takes_nobodys_answer(redis: RedisStore, wrong: Any) -> None:
    with pytest.raises((TypeError, UnicodeEncodeError)):
        await redis.call("SET", "key", wrong)
    assert await redis.call("ECHO", "mine") == "mine"


async def test_each_call_is_timed_under_its_name(stores: Stores, redis: RedisStore) -> None:
    seen: list[tuple[str, str]] = []

    def observe(store: str, operation: str, seconds: float) -> None:
        assert 0 <= seconds < PATIENCE
        seen.append((store, operation))

    async with RedisStore(stores.redis_url, Redis(), observe) as observed:
        await observed.call("GET", "k")
        await observed.batch([("GET", "k")])
        await observed.run(BEAT, KEYS, ["n1"])
    assert seen == [("redis", "get"), ("redis", "batch"), ("redis", "live_beat")]


async def test_a_command_that_takes_too_long_has_failed(quick: RedisStore) -> None:
    seconds = await refused(quick.call("BLPOP", "nothing", 10))
    assert TIMEOUT / 2 < seconds < PATIENCE / 2
    assert await quick.call("SET", "k", "v")
    assert quick.in_use == 0


async def test_a_pool_that_is_used_up_is_an_outage_and_recovers(quick: RedisStore) -> None:
    waiting = [refused(quick.call("BLPOP", "nothing", 10)) for _ in range(12)]
    await asyncio.gather(*waiting)
    assert quick.in_use == 0
    await quick.ping()
    assert await quick.call("SET", "k", "v")


async def test_a_caller_who_gives_up_leaves_his_answer_to_nobody_else(redis: RedisStore) -> None:
    """Handlers are cancelled by their time-out, whatever they wait for at that moment."""

    async def ask(n: int) -> None:
        assert await redis.call("ECHO", f"{n}") == f"{n}"
        assert await redis.batch([("ECHO", f"{n}"), ("ECHO", f"-{n}")]) == [f"{n}", f"-{n}"]

    for pause in range(40):
        tasks = [asyncio.create_task(ask(n)) for n in range(20)]
        for _ in range(pause):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() or not task.exception() for task in tasks)
    assert redis.in_use == 0
    await asyncio.gather(*(ask(n) for n in range(100)))


# Redis goes away and comes back


async def test_a_dead_redis_is_told_of_at_once_and_found_again(
    own: RedisStore, valkey: EmbeddedValkey
) -> None:
    await own.call("SET", "k", "v")
    await own.run(BEAT, KEYS, ["n1"])
    kill(valkey)
    for _ in range(FAILURES):
        assert await refused(own.call("GET", "k")) < TIMEOUT + 1
    assert own.breaker.open
    await eventually(own.ping)
    assert not own.breaker.open
    assert await own.call("GET", "k") == "v"
    assert await own.batch([("GET", "k")]) == ["v"]
    assert await own.run(BEAT, KEYS, ["n1"])
    assert own.in_use == 0


async def test_a_frozen_redis_is_waited_for_by_few(own: RedisStore, valkey: EmbeddedValkey) -> None:
    await own.call("SET", "k", "v")
    with frozen(valkey):
        await asyncio.gather(*(refused(own.call("GET", "k")) for _ in range(FAILURES)))
        assert own.breaker.open
        # From here on somebody tries now and then; everybody else is refused at once.
        waited, asked, end = 0, 0, time.monotonic() + 6 * TIMEOUT
        while time.monotonic() < end:
            calls = (refused(own.call("GET", "k")) for _ in range(20))
            seconds = await asyncio.gather(*calls)
            waited += sum(one > TIMEOUT / 2 for one in seconds)
            asked += len(seconds)
            await asyncio.sleep(0.01)
        assert waited <= 6
        assert asked > 100
    await eventually(own.ping)
    assert await own.call("GET", "k") == "v"
    assert own.in_use == 0


# What is published


class Ear:
    """Keeps what is heard on a line."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[list[Any]] = asyncio.Queue()

    def __call__(self, push: list[Any]) -> None:
        self.heard.put_nowait(list(push))

    async def next(self) -> list[Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.heard.get()

    async def confirmed(self, count: int) -> None:
        assert {(await self.next())[0] for _ in range(count)} == {"subscribe"}


async def test_a_subscriber_hears_everything_from_the_moment_it_is_told_so(
    redis: RedisStore,
) -> None:
    for n in range(20):
        ear = Ear()
        async with redis.subscription(ear, NEWS) as line:
            line.add([NEWS])
            await ear.confirmed(1)
            await redis.call(redis.publish, NEWS, n)
            assert await ear.next() == ["message", NEWS, str(n)]


async def test_what_is_published_to_several_channels_is_heard_in_its_order(
    redis: RedisStore,
) -> None:
    ear = Ear()
    async with redis.subscription(ear, NEWS) as line:
        line.add([f"{NEWS}{n}" for n in range(1_200)])
        await ear.confirmed(1_200)
        for n in range(50):
            await redis.call(redis.publish, f"{NEWS}{n * 7}", n)
        assert [(await ear.next())[2] for _ in range(50)] == [str(n) for n in range(50)]


async def test_a_dropped_channel_is_heard_no_more(redis: RedisStore) -> None:
    ear = Ear()
    async with redis.subscription(ear, NEWS) as line:
        line.add([OLD, NEWS])
        await ear.confirmed(2)
        line.drop(OLD)
        assert (await ear.next())[:2] == ["unsubscribe", OLD]
        await redis.call(redis.publish, OLD, "no")
        await redis.call(redis.publish, NEWS, "yes")
        assert await ear.next() == ["message", NEWS, "yes"]


async def test_a_silent_line_is_no_outage(quick: RedisStore) -> None:
    ear = Ear()
    async with quick.subscription(ear, NEWS) as line:
        line.add([NEWS])
        await ear.confirmed(1)
        alive: list[float] = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(6 * TIMEOUT):
                await line.until_broken(TIMEOUT, alive.append)
        assert alive
        assert all(0 <= asked < TIMEOUT for asked in alive)
        await quick.call(quick.publish, NEWS, "late")
        assert await ear.next() == ["message", NEWS, "late"]


@pytest.mark.parametrize("how", ["dead", "frozen"])
async def test_a_subscriber_learns_that_redis_is_away(
    own: RedisStore, valkey: EmbeddedValkey, how: str
) -> None:
    """A host that lost its power sends no farewell either."""
    ear = Ear()
    async with own.subscription(ear, NEWS) as line:
        line.add([NEWS])
        await ear.confirmed(1)
        with frozen(valkey) if how == "frozen" else nullcontext():
            if how == "dead":
                kill(valkey)
            async with asyncio.timeout(PATIENCE):
                await line.until_broken(TIMEOUT, lambda _: None)


async def test_nobody_is_subscribed_to_a_redis_that_does_not_answer(
    own: RedisStore, valkey: EmbeddedValkey
) -> None:
    with frozen(valkey), pytest.raises(DependencyUnavailable):
        async with asyncio.timeout(PATIENCE), own.subscription(Ear(), NEWS):
            pytest.fail("subscribed")


# MongoDB


async def test_documents_are_found_in_order_and_no_more_than_asked_for(
    documents: DocumentStore,
) -> None:
    await documents.call("things", "insert_many", [{"_id": n, "even": n % 2} for n in range(9)])
    found = await documents.find("things", {"even": 0}, sort=[("_id", -1)], limit=3)
    assert [one["_id"] for one in found] == [8, 6, 4]
    assert await documents.call("things", "find_one", {"_id": 99}) is None
    assert documents.in_use == 0


async def test_a_replica_set_is_found_by_any_of_its_hosts(stores: Stores) -> None:
    there = stores.mongo_url.replace("mongodb://", "mongodb://127.0.0.1:1,")
    for driver in ("motor", "pymongo"):
        settings = Mongo(driver=driver, database="test_hosts", timeout_seconds=15)
        async with DocumentStore(there, settings) as store:
            await store.ping()
            assert await store.find("nothing", {}, sort=[("_id", 1)], limit=1) == []


async def test_a_wrong_operation_is_no_outage(documents: DocumentStore) -> None:
    await documents.call("things", "insert_one", {"_id": 1})
    for _ in range(FAILURES + 1):
        with pytest.raises(DuplicateKeyError):
            await documents.call("things", "insert_one", {"_id": 1})
        with pytest.raises(OperationFailure):
            await documents.call("things", "update_one", {"_id": 1}, {"$nonsense": {"a": 1}})
    assert not documents.breaker.open


async def test_operations_are_timed_under_their_names(stores: Stores) -> None:
    seen: list[tuple[str, str]] = []
    settings = Mongo(database="test_timed")
    async with DocumentStore(
        stores.mongo_url, settings, lambda store, name, _: seen.append((store, name))
    ) as store:
        await store.call("things", "find_one", {})
        await store.find("things", {}, sort=[("_id", 1)], limit=1)
    assert seen == [("mongo", "things.find_one"), ("mongo", "things.find")]


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_a_document_store_that_is_frozen_or_dead_is_told_of_in_time_and_found_again(
    tmp_path: Path, driver: Any
) -> None:
    settings = Mongo(driver=driver, timeout_seconds=TIMEOUT)
    async with (
        EmbeddedDocuments(tmp_path) as documents,
        DocumentStore(documents.url, settings) as store,
    ):
        await store.call("things", "insert_one", {"_id": 1})
        find = {"_id": 1}
        with frozen(documents):
            calls = (refused(store.call("things", "find_one", find)) for _ in range(FAILURES))
            # An attempt and a repetition, each within the time-out.
            assert max(await asyncio.gather(*calls)) < 4 * TIMEOUT
            assert store.breaker.open
            assert await refused(store.call("things", "find_one", find)) < TIMEOUT / 2
        await eventually(store.ping)
        assert await store.call("things", "find_one", find) == find
        kill(documents)
        calls = (refused(store.call("things", "insert_one", {})) for _ in range(FAILURES))
        assert max(await asyncio.gather(*calls)) < 4 * TIMEOUT
        await eventually(store.ping)
        assert await store.call("things", "find_one", find) == find
        assert store.in_use == 0
