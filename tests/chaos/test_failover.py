"""A primary of a cluster is killed, and one that sentinels watch over: a replica is promoted, and
all goes on. Stock JavaScript clients talk and duel over two nodes.

CHAOS_CLIENTS makes it larger, CHAOS_FAILOVERS kills one primary after the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from state.cluster import slot_of
from tests.chaos.chaos_kit import Probe, started, unharmed, until
from tests.chaos.crowd import CLIENTS, Crowd, behind, settings
from tests.fixtures import Stores
from tests.harness import Player, Table
from tests.sizes import ONLY_LONG, sized
from tests.stock import Client, Clients, stock_clients
from tests.valkeys import Group, Valkey, a_cluster, under_sentinels

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.js, pytest.mark.timeout(600)]

FAILOVERS = sized("CHAOS_FAILOVERS", 1, 3)
MEMBERS = max(10, CLIENTS // 5)
PATIENCE = 3.0

Start = Callable[[Path], AbstractAsyncContextManager[Group]]


@pytest.fixture
async def stock() -> AsyncIterator[Clients]:
    async with stock_clients() as clients:
        yield clients


async def primary_of_the_log(group: Group) -> Valkey:
    """The store whose loss is felt most."""
    if group.url.startswith("redis+cluster"):
        return await group.owner(slot_of("{log}"))
    return await group.primary()


async def in_time(member: Client, event: str, **fields: Any) -> dict[str, Any]:
    """The data of an event that succeeds once the stores are back."""

    async def ask() -> Any:
        answer = await member.ask(event, PATIENCE, **fields)
        assert not answer or answer["ok"] or answer["error"]["retryable"], answer
        return answer and answer["ok"] and answer["data"]

    data: dict[str, Any] = await until(ask, bool)
    return data


async def begin_duel(key: str, ann: Client, bob: Client) -> str:
    """A duel that is being fought."""
    duel: dict[str, Any] = (await ann.ok("duel:challenge", opponent_id=bob.id, key=key))["duel"]
    await bob.ok("duel:accept", duel_id=duel["id"])
    return str(duel["id"])


async def end_duel(duel_id: str, ann: Client, bob: Client) -> None:
    """It goes on where it was, and both see the same end, once."""
    assert (await in_time(ann, "duel:get", duel_id=duel_id))["duel"]["status"] == "active"
    await in_time(bob, "duel:forfeit", duel_id=duel_id)
    views = [(await in_time(one, "duel:get", duel_id=duel_id))["duel"] for one in (ann, bob)]
    assert [view["winner_id"] for view in views] == [ann.id, ann.id]
    for one in (ann, bob):
        await one.event("duel:ended", lambda duel: duel["id"] == duel_id)
        assert [duel["id"] for duel in one.events("duel:ended")].count(duel_id) == 1


async def everything_said(table: Table, url: str, room: str) -> list[str]:
    """A room's whole history."""
    reader: Player = await table.seat(url, "reader")
    await reader.do("chat:join", room=room)
    said: list[str] = []
    before: dict[str, str] = {}
    while True:
        page = await reader.do("chat:history", room=room, limit=100, **before)
        said = [message["text"] for message in page["messages"]] + said
        if page["next_before"] is None:
            return said
        before = {"before": page["next_before"]}


@pytest.mark.parametrize("start", [a_cluster, pytest.param(under_sentinels, marks=ONLY_LONG)])
async def test_a_primary_is_killed_and_a_replica_takes_over(
    emptied: Stores, tmp_path: Path, table: Table, stock: Clients, start: Start
) -> None:
    async with start(tmp_path) as group:
        quickly = settings(emptied, REDIS_URL=group.url, REDIS__TIMEOUT_SECONDS=1)
        async with (
            started(**quickly) as one,
            started(**quickly) as other,
            behind(one, other) as proxies,
        ):
            probe = Probe(table)
            crowd = Crowd(stock, table, proxies)
            await crowd.gather(MEMBERS)
            for n in range(FAILOVERS):
                if n:
                    await group.whole()
                duel_id = await begin_duel(str(n), *crowd.members[4:6])
                victim = await primary_of_the_log(group)
                victim.kill()
                await probe.red("redis", one, other)
                await group.promoted(instead_of=victim)
                await probe.green(one, other)
                await crowd.all_back()
                await end_duel(duel_id, *crowd.members[4:6])
                await crowd.calm(0.5)
                victim.start()
            assert await crowd.judge_pieces() >= MEMBERS * (1 + FAILOVERS)
            said = [text for texts in crowd.said.values() for text in texts]
            found = await everything_said(table, one.url, "room:crowd")
            assert len(found) == len(set(found))
            assert set(said) <= set(found)
            unharmed(one, other)
