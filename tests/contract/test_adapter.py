"""The node's ear: what it hands on of a log that became another one under it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, cast

import pytest

from config.sections import Limits, Recovery
from game.errors import DependencyUnavailable
from server.broadcast import Adapter, Hub
from server.metrics import Metrics
from server.packets import Message
from server.transport import GameSocket
from state.connect import RedisStore
from state.recovery import EPOCH
from state.recovery import Recovery as Log

PATIENCE = 10


class Socket:
    """Remembers what it was sent."""

    after = 0

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def post(self, message: Message) -> None:
        self.sent.append(message)


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

    adapter = Adapter(redis, log, hub, Metrics(), lambda: int(time.time() * 1000))
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
