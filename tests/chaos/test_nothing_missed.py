"""Under steady talk nodes and Redis die, stand still and are restarted, and lines are cut:
what was acknowledged everybody sees, once and in one order. Stock JavaScript clients.

CHAOS_CLIENTS, CHAOS_SECONDS and CHAOS_OUTAGES make it larger and longer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.chaos_kit import (
    LEASE,
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
from tests.chaos.crowd import CLIENTS, SECONDS, Crowd, behind, settings
from tests.chaos.doubling import doubling
from tests.fixtures import Stores
from tests.harness import Table
from tests.sizes import sized
from tests.stock import Clients, Proxy, stock_clients

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.js, pytest.mark.timeout(600)]


OUTAGES = sized("CHAOS_OUTAGES", 1, 3)
PONG, NOOP = b"3probe", b"\r\n\r\n6"


def pings(seconds: float) -> dict[str, object]:
    """A connection that hangs is noticed within twice that."""
    return {"LIMITS__PING_SECONDS": seconds, "LIMITS__PING_TIMEOUT_SECONDS": seconds}


@pytest.fixture
async def stock() -> AsyncIterator[Clients]:
    async with stock_clients() as clients:
        yield clients


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
            await asyncio.sleep(max(SECONDS, LEASE + 1))
        await crowd.calm(1)
        assert await crowd.judge() > 20
        again = crowd.connects()
        assert len(again) == CLIENTS - len(range(0, CLIENTS, 3))
        assert all(again)
        unharmed(living, slow)


class Saboteur(Proxy):
    """Once it does `harm`, an upgrade fails after its probe was answered, and the last poll ends
    after that: what a cut does to a client now and then by chance.
    """

    harm = False
    done = False

    async def nobody_asks(self) -> bool:
        """Harm was done, and no request waits in here for its answer."""
        return self.done and not self._writers

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.harm:
            await super()._answer(reader, writer)
        while data := await reader.read(65_536):
            await asyncio.sleep(0.4 if data.endswith(NOOP) else 0)
            writer.write(data)
            await writer.drain()
            if data.endswith(PONG):
                await asyncio.sleep(0.1)
                self.done = True
                break
        raise ConnectionResetError


async def test_an_upgrade_that_is_cut_ends_by_the_ping_and_nothing_is_missed(
    emptied: Stores, table: Table, stock: Clients
) -> None:
    """The stock client (engine.io-client 6.6) pauses its polling when the probe is answered, and
    never polls again if the WebSocket ends before it has paused: only the missing ping tells
    it, after `pingInterval` and `pingTimeout`.
    """
    async with started(**settings(emptied, **pings(1.5))) as server:
        proxy = Saboteur(server)
        await proxy.start()
        speaker = await stock.open(server.url, (await table.guest(server.url)).tokens)
        tokens = (await table.guest(server.url)).tokens
        listener = await stock.open(proxy.url, tokens, transports=["polling", "websocket"])
        for one in (speaker, listener):
            await one.ok("chat:join", room="room:cut")
        before = listener.now
        proxy.harm = True
        proxy.cut()
        for n in range(5):
            await speaker.ok("chat:send", room="room:cut", text=str(n))
        await until(proxy.nobody_asks, bool)
        assert [told["at"] for told in listener.told[before:]] == ["disconnect"]  # by our cut
        await listener.next("disconnect", lambda told: told["reason"] == "ping timeout", before)
        proxy.harm = False
        recovered, _ = await listener.came_back(before)
        await listener.event("chat:message", lambda message: message["text"] == "4", before)
        assert recovered
        assert listener.texts() == [str(n) for n in range(5)]
        await proxy.stop()


def _leaves(balance: int, entry: dict[str, Any]) -> bool:
    return bool(entry["balance"] == balance)


async def test_what_is_posted_twice_happens_once(
    emptied: Stores, table: Table, stock: Clients
) -> None:
    """Long-polling over a proxy that repeats: the same words, keys and coins, once."""
    async with started(**settings(emptied)) as server, doubling(server) as proxy:
        tokens = [(await table.guest(server.url)).tokens for _ in range(2)]
        polling = {"transports": ["polling"], "upgrade": False}
        ann, bob = [await stock.open(proxy.url, one, **polling) for one in tokens]
        for one in (ann, bob):
            await one.ok("chat:join", room="room:double")
        for n in range(10):
            body = {"room": "room:double", "text": str(n), "client_id": f"d{n}"}
            await ann.ok("chat:send", **body)
            await ann.ok("wallet:transfer", to=bob.id, amount=1, key=f"d{n}")
        await bob.event("chat:message", lambda message: message["text"] == "9")
        for one, balance in ((ann, 990), (bob, 1_010)):
            await one.event("wallet:changed", partial(_leaves, balance))
            assert one.texts() == [str(n) for n in range(10)]
            moved = [x for x in one.events("wallet:changed") if x["reason"] == "transfer"]
            assert len(moved) == 10
        assert proxy.doubled > 20


async def test_lines_that_are_slow_and_cut_lose_nothing(
    emptied: Stores, table: Table, stock: Clients
) -> None:
    # A cut upgrade leaves its client to the pings (above): sooner than our patience ends.
    soon = settings(emptied, **pings(5))
    async with (
        started(**soon) as one,
        started(**soon) as other,
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
