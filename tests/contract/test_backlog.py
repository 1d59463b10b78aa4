"""Events that could not be published at once, with a Redis whose line breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from config.sections import Limits, Redis
from config.sections import Recovery as RecoverySettings
from game.errors import DependencyUnavailable
from server.backlog import Backlog
from server.metrics import Metrics
from state.connect import RedisStore
from state.recovery import Recovery, channel
from tests.fixtures import Stores
from tests.stock import Proxy, proxied

ROOM = "chat:one"


@pytest.fixture
async def line(stores: Stores) -> AsyncIterator[Proxy]:
    async with proxied(stores.redis_url) as proxy:
        yield proxy


@pytest.fixture
async def shaky(line: Proxy) -> AsyncIterator[Recovery]:
    """A log behind a line that breaks."""
    url = line.url.replace("http", "redis")
    async with RedisStore(url, Redis(timeout_seconds=0.5)) as store:
        yield Recovery(store, RecoverySettings(), Limits())


@pytest.fixture
def backlog(shaky: Recovery) -> Backlog:
    return Backlog(shaky, Metrics(), most=20)


@pytest.fixture
def sound(redis: RedisStore) -> Recovery:
    return Recovery(redis, RecoverySettings(), Limits())


def cut(line: Proxy) -> None:
    line.accepting = False
    line.cut()


async def publish(backlog: Backlog, *texts: str) -> None:
    for text in texts:
        await backlog.publish(ROOM, f'2["{text}"', None)


async def published(sound: Recovery) -> list[str]:
    since = await sound.since({ROOM: 0}, 2**40)
    return [event.packet.split('"')[1] for event in since.events]


async def delivered(line: Proxy, backlog: Backlog) -> None:
    line.accepting, line.deaf = True, False
    async with asyncio.timeout(20):
        while backlog.waiting:
            try:
                await backlog.deliver()
            except DependencyUnavailable:  # the breaker has not heard yet
                await asyncio.sleep(0.05)


async def test_what_could_not_be_published_is_told_later_in_its_order(
    line: Proxy, backlog: Backlog, sound: Recovery
) -> None:
    await publish(backlog, "a", "b")
    cut(line)
    await publish(backlog, "c", "d", "e")
    assert backlog.waiting == 3
    with pytest.raises(DependencyUnavailable):
        await backlog.deliver()
    assert await published(sound) == ["a", "b"]
    line.accepting = True
    await publish(backlog, "f")  # nobody overtakes
    await delivered(line, backlog)
    await publish(backlog, "g")
    assert await published(sound) == list("abcdefg")


async def test_what_was_published_though_its_answer_was_lost_is_not_told_twice(
    line: Proxy, backlog: Backlog, sound: Recovery
) -> None:
    await publish(backlog, "a")
    line.deaf = True
    await publish(backlog, "b", "c")
    assert backlog.waiting == 2
    assert await published(sound) == ["a", "b"]
    with pytest.raises(DependencyUnavailable):
        await backlog.deliver()
    await delivered(line, backlog)
    assert await published(sound) == ["a", "b", "c"]


async def test_what_nodes_tell_each_other_waits_in_the_same_order(
    stores: Stores, line: Proxy, backlog: Backlog
) -> None:
    pushes: asyncio.Queue[list[Any]] = asyncio.Queue()
    # As the shaky one: who publishes to one address is not heard by who listens to a cluster.
    address = stores.redis_url.replace("+cluster", "")
    async with (
        RedisStore(address, Redis()) as store,
        store.subscription(pushes.put_nowait) as ear,
    ):
        ear.add([channel(ROOM), channel("nodes")])
        for _ in range(2):
            await pushes.get()
        cut(line)
        await publish(backlog, "a")
        await backlog.tell("nodes", "b")
        await publish(backlog, "c")
        await delivered(line, backlog)
        heard = [(await pushes.get())[2] for _ in range(3)]
    assert [text for text in heard if text == "b"] == heard[1:2]
    assert '"a"' in heard[0]
    assert '"c"' in heard[2]


async def test_a_publish_that_is_cut_short_is_finished_later(
    line: Proxy, backlog: Backlog, sound: Recovery
) -> None:
    """As by the time-out of the handler that it is part of."""
    line.delay = 0.2
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await publish(backlog, "a")
    line.delay = 0
    assert backlog.waiting == 1
    await publish(backlog, "b")
    await delivered(line, backlog)
    assert await published(sound) == ["a", "b"]


async def test_many_at_once_are_all_told_each_once(
    line: Proxy, backlog: Backlog, sound: Recovery
) -> None:
    backlog._most = 1_000
    line.deaf = True
    await asyncio.gather(*(publish(backlog, f"{n}") for n in range(100)))
    await delivered(line, backlog)
    texts = await published(sound)
    assert sorted(map(int, texts)) == list(range(100))


async def test_more_than_can_wait_ends_all_sessions(
    line: Proxy, backlog: Backlog, sound: Recovery
) -> None:
    told = asyncio.Event()

    async def lost() -> None:
        told.set()

    backlog.on_lost = lost
    await publish(backlog, "a")
    epoch, _ = await sound.position()
    cut(line)
    await publish(backlog, *(f"{n}" for n in range(22)))
    line.accepting = True
    await delivered(line, backlog)
    while not told.is_set():
        await backlog.deliver()
    assert (await sound.position())[0] != epoch
    await publish(backlog, "z")
    assert (await published(sound))[-1] == "z"
