"""The node's ear: what it hands on while lines break, rooms come and go, and the log changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from config.sections import Limits, Recovery
from game.errors import DependencyUnavailable
from server.broadcast import Adapter, Hub
from server.metrics import Metrics
from server.packets import Message
from server.transport import GameSocket
from state.connect import RedisStore, Subscription
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

    @property
    def begun(self) -> list[str]:
        """How each begins: what is kept ends with its place in the log."""
        return [text[:3] for text in self.heard]


class Ear:
    """A node that listens, and its log."""

    def __init__(self, redis: RedisStore, node: str = "node") -> None:
        self.log, self.hub = Log(redis, Recovery(), Limits()), Hub()
        self.gaps: list[list[str]] = []
        now = lambda: int(time.time() * 1000)  # noqa: E731 - a clock
        self.adapter = Adapter(redis, self.log, self.hub, Metrics(), now, node)
        self.adapter.on_gap = lambda rooms: self.gaps.append(list(rooms))
        self.adapter.on_nodes, self.adapter.on_ready = lambda _: None, lambda: None
        self.listening: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @property
    def line(self) -> Subscription:
        assert self.adapter._line
        return self.adapter._line

    async def listen(self) -> None:
        self.listening = asyncio.ensure_future(self.adapter.listen())
        async with asyncio.timeout(PATIENCE):
            while not self.adapter.ready:
                assert not self.listening.done()
                await asyncio.sleep(0.01)

    async def fall_silent(self) -> None:
        """Wait until the line is broken."""
        with pytest.raises(DependencyUnavailable):
            await asyncio.wait_for(self.listening, PATIENCE)

    def add(self, sid: str, room: str) -> Socket:
        socket = Socket()
        self.hub.add(sid, cast("GameSocket", socket), room)
        return socket

    async def join(self, sid: str, room: str) -> Socket:
        socket = self.add(sid, room)
        await self.adapter.open(room)
        return socket

    async def answered(self) -> None:
        """Wait until what was asked for before is answered."""
        await self.line._line.send("PING")


@pytest.fixture
async def ear(redis: RedisStore) -> AsyncIterator[Ear]:
    ear = Ear(redis)
    await ear.listen()
    yield ear
    ear.listening.cancel()


async def test_what_is_heard_of_another_log_is_a_gap_and_not_handed_on(
    redis: RedisStore, ear: Ear
) -> None:
    """A line that stays at a demoted primary hears with holes what the promoted one publishes."""
    socket = await ear.join("sid", "r")
    await ear.log.publish("r", "2[1", None, "t1")
    await redis.call("SET", EPOCH, "another")
    await ear.log.publish("r", "2[2", None, "t2")
    await ear.fall_silent()
    assert socket.begun == ["2[1"]
    assert ear.gaps == []
    await ear.listen()
    assert ear.gaps == [["r"]]


async def test_a_room_that_is_joined_while_the_node_catches_up_misses_nothing(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await ear.join("old", "r")
    await ear.log.publish("r", "2[1", None, "t1")
    ear.line.end()
    await ear.fall_silent()
    await ear.log.publish("r", "2[2", None, "t2")
    since, new = ear.log.since, list[Socket]()

    async def meanwhile(*args: Any) -> Any:
        new.append(await ear.join("new", "s"))
        await ear.log.publish("s", "2[3", None, "t3")
        await ear.log.publish("r", "2[4", None, "t4")
        return await since(*args)

    monkeypatch.setattr(ear.log, "since", meanwhile)
    await ear.listen()
    assert old.begun == ["2[1", "2[2", "2[4"]
    assert [socket.begun for socket in new] == [["2[3"]]


async def test_the_first_event_of_a_log_is_not_missed_while_the_line_is_broken(ear: Ear) -> None:
    socket = await ear.join("sid", "r")
    ear.line.end()
    await ear.fall_silent()
    await ear.log.publish("r", "2[1", None, "t1")
    await ear.listen()
    assert socket.begun == ["2[1"]


async def test_a_room_that_is_left_and_joined_at_once_is_heard_when_it_says_so(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What confirms the first asking says nothing of a second one that is still under way."""
    ear.add("first", "r")
    ear.adapter.ask("r")
    ear.hub.forget("first")
    ear.adapter.close("r")
    late: list[Sequence[str]] = []
    monkeypatch.setattr(ear.line, "add", late.append)  # the network takes its time
    opening = asyncio.ensure_future(ear.join("second", "r"))
    await ear.answered()
    await asyncio.sleep(0)
    monkeypatch.undo()
    if not opening.done():
        ear.line.add(late.pop())
    socket = await opening
    await ear.log.publish("r", "2[1", None, "t1")
    await ear.answered()
    assert socket.begun == ["2[1"]


async def test_a_room_that_is_left_before_it_is_heard_is_not_heard_for_ever(
    redis: RedisStore, ear: Ear
) -> None:
    ear.add("sid", "r")
    ear.adapter.ask("r")
    ear.hub.forget("sid")
    ear.adapter.close("r")
    for _ in range(2):  # what follows from the first answer, is answered by the second
        await ear.answered()
    assert await redis.call(redis.publish, channel("r"), "nobody hears it") == 0
    assert await redis.call(redis.publish, channel(NODES), "{}") == 1


async def test_what_is_not_kept_is_on_the_nodes_own_sockets_first_and_on_each_once(
    redis: RedisStore,
) -> None:
    heard: dict[str, Socket] = {}
    here, there = ears = Ear(redis, "here"), Ear(redis, "there")
    for ear, sids in ((here, ("ann", "bob")), (there, ("far",))):
        await ear.listen()
        for sid in sids:
            heard[sid] = await ear.join(sid, "r")
    telling = asyncio.ensure_future(here.adapter.whisper("r", "2[1]", "ann"))
    await asyncio.sleep(0)
    assert [socket.heard for socket in heard.values()] == [[], ["2[1]"], []]
    await telling
    await there.adapter.whisper("r", "2[2]", NOBODY)
    async with asyncio.timeout(PATIENCE):
        while not heard["ann"].sent or len(heard["far"].sent) < 2:  # noqa: ASYNC110 - briefly
            await asyncio.sleep(0.01)
    heard_by = {sid: sorted(socket.heard) for sid, socket in heard.items()}
    assert heard_by == {"ann": ["2[2]"], "bob": ["2[1]", "2[2]"], "far": ["2[1]", "2[2]"]}
    for ear in ears:
        ear.listening.cancel()
