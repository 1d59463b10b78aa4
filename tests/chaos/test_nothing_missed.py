"""Under steady talk nodes and Redis die, stand still and are restarted, and lines are cut:
what was acknowledged everybody sees, once and in one order. Stock JavaScript clients.

CHAOS_CLIENTS, CHAOS_SECONDS and CHAOS_OUTAGES make it larger and longer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.chaos_kit import (
    Probe,
    dead,
    frozen,
    on_stores_of,
    quick,
    started,
    suspended,
    unharmed,
    until,
)
from tests.chaos.history import check
from tests.fixtures import Stores, on
from tests.harness import Server, Table
from tests.sizes import sized
from tests.stock import Client, Clients, Proxy, proxied, stock_clients

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.js, pytest.mark.timeout(600)]

CLIENTS = sized("CHAOS_CLIENTS", 24, 60)
SECONDS = sized("CHAOS_SECONDS", 2, 20)
OUTAGES = sized("CHAOS_OUTAGES", 1, 3)
ROOM = "room:crowd"
LEASE = 1.0
TOGETHER = 20
PAUSE = 0.05  # between two messages of a speaker
PATIENCE = 3.0  # for an answer; then it is said again with the same client_id


class Crowd:
    """Clients in one room behind proxies, some of whom talk without end."""

    def __init__(self, stock: Clients, table: Table, proxies: list[Proxy]) -> None:
        self.proxies = proxies
        self.members: list[Client] = []
        self.said: dict[str, list[str]] = {}
        self.refused: list[str] = []
        self._stock = stock
        self._table = table
        self._over = asyncio.Event()
        self._talking: list[asyncio.Task[None]] = []

    async def gather(self, count: int, speakers: int = 4) -> None:
        """Enter, a few at a time; the first ones begin to talk."""
        for first in range(0, count, TOGETHER):
            some = range(first, min(count, first + TOGETHER))
            self.members += await asyncio.gather(*map(self._enter, some))
        for member in self.members[:speakers]:
            self.said[member.name] = []
            self._talking.append(asyncio.create_task(self._talk(member)))

    async def _enter(self, n: int) -> Client:
        proxy = self.proxies[n % len(self.proxies)]
        assert isinstance(proxy.target, Server)
        tokens = (await self._table.guest(proxy.target.url, f"m{n}")).tokens
        transports = ["polling", "websocket"] if n % 10 == 7 else ["websocket"]
        member = await self._stock.open(proxy.url, tokens, transports=transports)
        await member.ok("chat:join", room=ROOM)
        return member

    async def _talk(self, member: Client) -> None:
        said = self.said[member.name]
        while not self._over.is_set():
            text = f"{member.name} {len(said)}"
            await self._say(member, text)
            said.append(text)
            await asyncio.sleep(PAUSE)

    async def _say(self, member: Client, text: str) -> None:
        """Say it until it is acknowledged."""
        while True:
            key = text.replace(" ", "-")
            answer = await member.ask("chat:send", PATIENCE, room=ROOM, text=text, client_id=key)
            if answer and answer["ok"]:
                return
            if answer:
                assert answer["error"]["retryable"], answer
                self.refused.append(answer["error"]["code"])
                await asyncio.sleep(PAUSE)

    async def calm(self, seconds: float) -> None:
        """Let some time pass in which everybody says something."""
        before = await self._counts()
        await asyncio.sleep(seconds)
        await until(self._counts, lambda now: all(now[name] > before[name] for name in now))

    async def _counts(self) -> dict[str, int]:
        return {name: len(said) for name, said in self.said.items()}

    async def judge(self) -> int:
        """Everybody falls silent; how much was said, and all of that is as it must be."""
        self._over.set()
        await asyncio.gather(*self._talking)
        for member in self.members:
            for said in self.said.values():
                last = said[-1]
                await member.event("chat:message", partial(_says, last))
        everything = check(self.said, {member.name: member.texts() for member in self.members})
        return len(everything)

    def connects(self) -> list[bool]:
        """Whether each connection, but each member's first, was a recovered one."""
        return [
            told["recovered"]
            for member in self.members
            for told in [x for x in member.told if x["at"] == "connect"][1:]
        ]


def _says(text: str, message: dict[str, Any]) -> bool:
    return bool(message["text"] == text)


@pytest.fixture
async def stock() -> AsyncIterator[Clients]:
    async with stock_clients() as clients:
        yield clients


@asynccontextmanager
async def behind(*servers: Server) -> AsyncIterator[list[Proxy]]:
    """A proxy in front of each."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(proxied(server)) for server in servers]


def settings(stores: Stores, **more: object) -> dict[str, object]:
    return on(stores, **quick(NODES__LEASE_SECONDS=LEASE, **more))


async def test_two_nodes_are_restarted_in_turn_and_nobody_misses_anything(
    emptied: Stores, table: Table, stock: Clients
) -> None:
    more = {"SHUTDOWN__GRACE_SECONDS": 1}
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(started(**settings(emptied, **more))) for _ in range(2)
        ]
        proxies = await stack.enter_async_context(behind(*nodes))
        crowd = Crowd(stock, table, proxies)
        await crowd.gather(CLIENTS)
        await crowd.calm(1)
        for n in range(2):
            other = nodes[1 - n]
            proxies[n].target = other
            assert await nodes[n].stop() == 0
            await crowd.calm(0.5)
            nodes[n] = await stack.enter_async_context(started(**settings(emptied, **more)))
            proxies[n].target = nodes[n]
            await crowd.calm(0.5)
        assert await crowd.judge() > 20
        again = crowd.connects()
        assert len(again) >= CLIENTS
        assert all(again)
        unharmed(*nodes)


async def test_a_killed_nodes_clients_miss_nothing(
    emptied: Stores, table: Table, stock: Clients
) -> None:
    async with (
        started(**settings(emptied)) as living,
        started(**settings(emptied)) as dying,
        behind(living, dying) as proxies,
    ):
        crowd = Crowd(stock, table, proxies)
        await crowd.gather(CLIENTS)
        await crowd.calm(1)
        proxies[1].target = living
        await dying.kill()
        await crowd.calm(SECONDS)
        assert await crowd.judge() > 20
        again = crowd.connects()
        assert len(again) == CLIENTS // 2
        assert all(again)
        unharmed(living)


async def test_a_node_that_stood_still_beyond_its_lease_does_not_act_on_it(
    emptied: Stores, table: Table, stock: Clients
) -> None:
    """Half of its clients go to the other node, half wait until it goes on."""
    async with (
        started(**settings(emptied)) as living,
        started(**settings(emptied)) as slow,
        behind(living, slow, slow) as proxies,
    ):
        crowd = Crowd(stock, table, proxies)
        await crowd.gather(CLIENTS, speakers=6)
        await crowd.calm(0.5)
        with suspended(slow):
            proxies[1].target = living
            proxies[1].cut()
            await asyncio.sleep(max(SECONDS, 3 * LEASE))
        await crowd.calm(1)
        assert await crowd.judge() > 20
        again = crowd.connects()
        assert len(again) == CLIENTS // 3 * 2
        assert all(again)
        unharmed(living, slow)


async def test_lines_that_are_slow_and_cut_lose_nothing(
    emptied: Stores, table: Table, stock: Clients
) -> None:
    async with (
        started(**settings(emptied)) as one,
        started(**settings(emptied)) as other,
        behind(one, other, one) as proxies,
    ):
        crowd = Crowd(stock, table, proxies)
        await crowd.gather(CLIENTS)
        ends = asyncio.get_running_loop().time() + SECONDS
        chance = random.Random(4)
        while asyncio.get_running_loop().time() < ends:
            proxy = chance.choice(proxies)
            proxy.delay = chance.choice([0, 0.005, 0.03])
            proxy.target = chance.choice([one, other])
            proxy.cut()
            await asyncio.sleep(chance.uniform(0.1, 0.6))
        for proxy in proxies:
            proxy.delay = 0
        await crowd.calm(1)
        assert await crowd.judge() > 20
        again = crowd.connects()
        assert len(again) >= CLIENTS // 2
        assert all(again)
        unharmed(one, other)


@pytest.mark.parametrize("trouble", [dead, frozen])
async def test_who_stays_connected_while_redis_is_away_misses_nothing(
    tmp_path: Path, table: Table, stock: Clients, trouble: Any
) -> None:
    quickly = quick(REDIS__TIMEOUT_SECONDS=0.5)
    async with (
        started(**quickly, DATA_DIR=tmp_path) as one,
        started(**quickly, **on_stores_of(tmp_path)) as other,
        behind(one, other) as proxies,
    ):
        crowd = Crowd(stock, table, proxies)
        await crowd.gather(min(CLIENTS, 20), speakers=8)
        probe = Probe(table)
        for _ in range(OUTAGES):
            await crowd.calm(0.5)
            with trouble(tmp_path, "valkey"):
                await probe.red("redis", one, other)
            await probe.green(one, other)
        await crowd.calm(0.5)
        assert await crowd.judge() > 20
        assert set(crowd.refused) <= {"dependency_unavailable"}
        assert crowd.connects() == []  # nobody was sent away
        unharmed(one, other)
