"""Redis is killed, or stands still, under two nodes: clear errors, then everything goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.chaos_kit import (
    Probe,
    Talker,
    dead,
    finish,
    frozen,
    nothing_lost,
    on_stores_of,
    quick,
    started,
    try_to,
    unharmed,
    until,
)
from tests.harness import Player, Server, Table
from tests.sizes import LONG

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

ROOM = "room:storm"
OUTAGE_SECONDS = 4.0  # at least, so that every back-off has grown
AT_ONCE = 1.5  # seconds: the patience with a store that stands still, and some more


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[tuple[Server, Server]]:
    """A server with its stores, and another one on them."""
    # An absence longer than a lease: afterwards nobody may be taken for dead.
    settings = quick(REDIS__TIMEOUT_SECONDS=0.5, NODES__LEASE_SECONDS=3)
    async with (
        started(**settings, DATA_DIR=tmp_path) as one,
        started(**settings, **on_stores_of(tmp_path)) as other,
    ):
        yield one, other


@pytest.mark.parametrize("trouble", [dead, frozen])
async def test_what_redis_does_not_answer_is_refused_and_afterwards_all_goes_on(
    nodes: tuple[Server, Server], tmp_path: Path, table: Table, trouble: Any
) -> None:
    one, other = nodes
    probe = Probe(table)
    seats = [one, one, other, other]
    players = [await table.seat(node.url, f"p{n}") for n, node in enumerate(seats)]
    watcher = await table.seat(other.url, "watcher")
    leaver = await table.seat(one.url, "leaver")
    duel = await table.duel(players[0], players[2])
    for player in [*players, leaver]:
        await player.do("chat:join", room=ROOM)
    await watcher.do("presence:watch", player_ids=[leaver.id, players[0].id])
    talkers = [Talker(player, ROOM) for player in players]
    for talker in talkers:
        talker.start()
    await until(lambda: _said(talkers), lambda said: said > 40)

    with trouble(tmp_path, "valkey"):
        await probe.red("redis", one, other)
        # From here on nobody waits for long.
        for talker in talkers:
            talker.slowest = 0.0
        for node in (one, other):
            for path, body in (
                ("/auth/guest", {"name": "late"}),
                ("/auth/login", {"username": "somebody", "password": "correct horse"}),
            ):
                status, problem = await table.post(node.url, path, body)
                assert (status, problem["code"]) == (503, "dependency_unavailable")
                assert problem["retryable"]
        for event, fields in (
            ("chat:join", {"room": ROOM}),
            ("presence:query", {"player_ids": [leaver.id]}),
            ("duel:get", {"duel_id": duel["id"]}),
        ):
            code, error = await try_to(players[0], event, **fields)
            assert (code, error["retryable"]) == ("dependency_unavailable", True)
        await leaver.leave()
        await asyncio.sleep(OUTAGE_SECONDS)
        assert max(talker.slowest for talker in talkers) < AT_ONCE
        assert "redis" in await probe.failing(one)

    await probe.green(one, other)
    heard = {player.id: len(player.seen("chat:message")) for player in players}
    assert all(player.socket.connected for player in players)
    await until(lambda: _fluent(talkers), bool)
    for talker in talkers:
        await talker.stop()
        assert set(talker.refused) == {"dependency_unavailable"}
    said = await nothing_lost(talkers, players[3])
    assert len(said) >= sum(len(talker.acknowledged) for talker in talkers)
    # Across the nodes again, both ways.
    for speaker, listener in ((0, 2), (3, 1)):
        await eventually_heard(talkers[speaker], players[listener])
    assert all(len(player.seen("chat:message")) > heard[player.id] for player in players)

    # Who left while nobody could be told is gone, and who stayed is here.
    gone = lambda changed: _status(changed, leaver) == "offline"  # noqa: E731
    await watcher.next("presence:changed", gone)
    asked = await watcher.do("presence:query", player_ids=[one.id for one in [*players, leaver]])
    shown = {player: view["status"] for player, view in asked["presence"].items()}
    assert shown == {**{player.id: "online" for player in players}, leaver.id: "offline"}
    room = await players[1].do("chat:join", room=ROOM)
    assert {member["id"] for member in room["members"]} == {player.id for player in players}
    assert (await finish(players[0], players[2], duel["id"]))["status"] == "finished"
    # The same sockets as before; nobody was sent away.
    for player in [*players, watcher]:
        assert player.socket.connected
        assert not player.seen("server:disconnect")
    unharmed(one, other)


async def _said(talkers: list[Talker]) -> int:
    return sum(len(talker.acknowledged) for talker in talkers)


async def _fluent(talkers: list[Talker]) -> bool:
    """Whether each of them was understood just now."""
    before = [len(talker.acknowledged) for talker in talkers]
    await asyncio.sleep(0.5)
    return all(
        len(talker.acknowledged) > count for talker, count in zip(talkers, before, strict=True)
    )


def _status(changed: dict[str, Any], player: Player) -> str | None:
    view = changed["presence"].get(player.id)
    return str(view["status"]) if view else None


async def eventually_heard(talker: Talker, listener: Player) -> None:
    """What one says on his node reaches another on his."""
    assert await talker.say() == "ok"
    last = talker.acknowledged[-1]
    await listener.next("chat:message", lambda message: message["id"] == last)


async def test_nobody_is_left_behind_who_left_while_redis_died(
    nodes: tuple[Server, Server], tmp_path: Path, table: Table
) -> None:
    """A departure is several steps in Redis, which may die between any two of them."""
    one, other = nodes
    reader = await table.seat(other.url, "reader")
    room = await reader.do("chat:join", room=ROOM)
    for trouble in (dead, frozen, dead) if LONG else (dead, frozen):
        leavers = [await table.seat(one.url, f"p{n}") for n in range(20)]
        await asyncio.gather(*(player.do("chat:join", room=ROOM) for player in leavers))
        await reader.do("presence:watch", player_ids=[player.id for player in leavers])
        leaving = [asyncio.create_task(player.leave()) for player in leavers]
        await asyncio.wait(leaving, return_when=asyncio.FIRST_COMPLETED)
        with trouble(tmp_path, "valkey"):
            await asyncio.wait(leaving)
            await Probe(table).red("redis", one, other)
        await Probe(table).green(one, other)

        async def remaining() -> set[str]:
            room = await reader.do("chat:join", room=ROOM)
            return {member["id"] for member in room["members"]}

        await until(remaining, lambda ids: ids == {reader.id}, seconds=10)
        for player in leavers:
            await until(
                partial(_last_heard, reader, player), lambda it: it == "offline", seconds=10
            )
    assert room["member_count"] == 1
    unharmed(one, other)


async def _last_heard(watcher: Player, player: Player) -> str | None:
    heard = [_status(changed, player) for changed in watcher.seen("presence:changed")]
    return next((status for status in reversed(heard) if status), None)
