"""The node's ear: what it hands on of a log that became another one under it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any, cast

import pytest

from config.sections import Limits, Recovery
from game.errors import DependencyUnavailable
from server.broadcast import Adapter, Hub
from server.metrics import Metrics
from server.packets import Message
from server.transport import GameSocket
from state.connect import RedisStore
from state.recovery import EPOCH, NOBODY, NODES, channel
from state.recovery import Recovery as Log

PATIENCE = 10


class Socket:
    """Remembers what it was sent."""

    after = 0

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def post(self, message: Message) -> None:
        self.sent.append(message)

    def offer(self, message: Message) -> bool:
        self.sent.append(message)
        return True

    @property
    def heard(self) -> list[str]:
        return [str(message.data) for message in self.sent]


async def ready(adapter: Adapter, listening: asyncio.Future[Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not adapter.ready:
            assert not listening.done()
            await asyncio.sleep(0.01)


async def test_what_is_heard_of_another_log_is_a_gap_and_not_handed_on(redis: RedisStore) -> None:
    """A line that stays at a demoted primary hears with holes what the promoted one publishes."""
    log, hub, socket, gaps = Log(redis, Recovery(), Limits()), Hub(), Socket(), []

    def on_gap(rooms: Iterable[str]) -> None:
        gaps.append(list(rooms))

    adapter = Adapter(redis, log, hub, Metrics(), lambda: int(time.time() * 1000), "node")
    adapter.on_gap, adapter.on_nodes, adapter.on_ready = on_gap, lambda _: None, lambda: None
    listening = asyncio.ensure_future(adapter.listen())
    await ready(adapter, listening)
    hub.add("sid", cast("GameSocket", socket), "r")
    await adapter.open("r")
    await log.publish("r", "2[1", None, "t1")
    await redis.call("SET", EPOCH, "another")
    await log.publish("r", "2[2", None, "t2")
    with pytest.raises(DependencyUnavailable):
        await asyncio.wait_for(listening, PATIENCE)
    assert [str(message.data)[:3] for message in socket.sent] == ["2[1"]
    assert gaps == []
    listening = asyncio.ensure_future(adapter.listen())
    await ready(adapter, listening)
    assert gaps == [["r"]]
    listening.cancel()


async def test_a_room_that_is_joined_while_the_node_catches_up_misses_nothing(
    redis: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, hub, old, new = Log(redis, Recovery(), Limits()), Hub(), Socket(), Socket()
    adapter = Adapter(redis, log, hub, Metrics(), lambda: int(time.time() * 1000), "node")
    adapter.on_nodes, adapter.on_ready = lambda _: None, lambda: None
    listening = asyncio.ensure_future(adapter.listen())
    await ready(adapter, listening)
    hub.add("old", cast("GameSocket", old), "r")
    await adapter.open("r")
    await log.publish("r", "2[1", None, "t1")
    assert adapter._line
    adapter._line.end()
    with pytest.raises(DependencyUnavailable):
        await asyncio.wait_for(listening, PATIENCE)
    await log.publish("r", "2[2", None, "t2")
    since = log.since

    async def meanwhile(*args: Any) -> Any:
        hub.add("new", cast("GameSocket", new), "s")
        await adapter.open("s")
        await log.publish("s", "2[3", None, "t3")
        await log.publish("r", "2[4", None, "t4")
        return await since(*args)

    monkeypatch.setattr(log, "since", meanwhile)
    listening = asyncio.ensure_future(adapter.listen())
    await ready(adapter, listening)
    assert [str(one.data)[:3] for one in old.sent] == ["2[1", "2[2", "2[4"]
    assert [str(one.data)[:3] for one in new.sent] == ["2[3"]
    listening.cancel()


async def test_the_first_event_of_a_log_is_not_missed_while_the_line_is_broken(
    redis: RedisStore,
) -> None:
    log, hub, socket = Log(redis, Recovery(), Limits()), Hub(), Socket()
    adapter = Adapter(redis, log, hub, Metrics(), lambda: int(time.time() * 1000), "node")
    adapter.on_nodes, adapter.on_ready = lambda _: None, lambda: None
    listening = asyncio.ensure_future(adapter.listen())
    await ready(adapter, listening)
    hub.add("sid", cast("GameSocket", socket), "r")
    await adapter.open("r")
    assert adapter._line
    adapter._line.end()
    with pytest.raises(DependencyUnavailable):
        await asyncio.wait_for(listening, PATIENCE)
    await log.publish("r", "2[1", None, "t1")
    listening = asyncio.ensure_future(adapter.listen())
    await ready(adapter, listening)
    assert [text[:3] for text in socket.heard] == ["2[1"]
    listening.cancel()


async def test_a_room_that_is_left_and_joined_at_once_is_heard_when_it_says_so(
    redis: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What confirms the first asking says nothing of a second one that is still under way."""
    log, hub, socket = Log(redis, Recovery(), Limits()), Hub(), Socket()
    adapter = Adapter(redis, log, hub, Metrics(), lambda: int(time.time() * 1000), "node")
    adapter.on_nodes, adapter.on_ready = lambda _: None, lambda: None
    listening = asyncio.ensure_future(adapter.listen())
    await ready(adapter, listening)
    line = adapter._line
    assert line
    hub.add("first", cast("GameSocket", Socket()), "r")
    adapter.ask("r")
    hub.forget("first")
    adapter.close("r")
    late: list[Sequence[str]] = []
    monkeypatch.setattr(line, "add", late.append)  # the network takes its time
    hub.add("second", cast("GameSocket", socket), "r")
    opening = asyncio.ensure_future(adapter.open("r"))
    await line._line.send("PING")  # what was asked before is answered
    await asyncio.sleep(0)
    monkeypatch.undo()
    if not opening.done():
        line.add(late.pop())
    await opening
    await log.publish("r", "2[1", None, "t1")
    await line._line.send("PING")
    assert [text[:3] for text in socket.heard] == ["2[1"]
    listening.cancel()


async def test_a_room_that_is_left_before_it_is_heard_is_not_heard_for_ever(
    redis: RedisStore,
) -> None:
    log, hub = Log(redis, Recovery(), Limits()), Hub()
    adapter = Adapter(redis, log, hub, Metrics(), lambda: int(time.time() * 1000), "node")
    adapter.on_nodes, adapter.on_ready = lambda _: None, lambda: None
    listening = asyncio.ensure_future(adapter.listen())
    await ready(adapter, listening)
    assert adapter._line
    hub.add("sid", cast("GameSocket", Socket()), "r")
    adapter.ask("r")
    hub.forget("sid")
    adapter.close("r")
    for _ in range(2):  # what follows from the first answer, is answered by the second
        await adapter._line._line.send("PING")
    assert await redis.call(redis.publish, channel("r"), "nobody hears it") == 0
    assert await redis.call(redis.publish, channel(NODES), "{}") == 1
    listening.cancel()


async def test_what_is_not_kept_is_on_the_nodes_own_sockets_first_and_on_each_once(
    redis: RedisStore,
) -> None:
    heard: dict[str, Socket] = {"ann": Socket(), "bob": Socket(), "far": Socket()}
    adapters = []
    for node, sids in (("here", ("ann", "bob")), ("there", ("far",))):
        log, hub = Log(redis, Recovery(), Limits()), Hub()
        adapter = Adapter(redis, log, hub, Metrics(), lambda: int(time.time() * 1000), node)
        adapter.on_nodes, adapter.on_ready = lambda _: None, lambda: None
        adapters.append(adapter)
        listening = asyncio.ensure_future(adapter.listen())
        await ready(adapter, listening)
        for sid in sids:
            hub.add(sid, cast("GameSocket", heard[sid]), "r")
        await adapter.open("r")
    here, there = adapters
    telling = asyncio.ensure_future(here.whisper("r", "2[1]", "ann"))
    await asyncio.sleep(0)
    assert [socket.heard for socket in heard.values()] == [[], ["2[1]"], []]
    await telling
    await there.whisper("r", "2[2]", NOBODY)
    async with asyncio.timeout(PATIENCE):
        while not heard["ann"].sent or len(heard["far"].sent) < 2:  # noqa: ASYNC110 - briefly
            await asyncio.sleep(0.01)
    heard_by = {sid: sorted(socket.heard) for sid, socket in heard.items()}
    assert heard_by == {"ann": ["2[2]"], "bob": ["2[1]", "2[2]"], "far": ["2[1]", "2[2]"]}
