"""Ctrl-C and SIGTERM end everything in order, a second one ends it at once; data survives."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.chaos_kit import (
    Probe,
    children,
    ended,
    finish,
    history,
    processes_with,
    quick,
    started,
    unharmed,
    until,
)
from tests.harness import Player, Server, Table

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

ROOM = "room:signals"
LOGIN = {"username": "annabel", "password": "correct horse battery"}
FORCED = 130
# Seconds of a start or a stop on a busy machine. One that waited for a lease, for everybody to
# be told or for something that does not end would take longer.
BOUND = 30.0
WAITS = {"NODES__LEASE_SECONDS": 60, "SHUTDOWN__CLOSE_SECONDS": 60}


async def signalled(server: Server, *numbers: signal.Signals) -> tuple[int, float]:
    """Its exit code after these signals, and the seconds that it took."""
    assert server._process
    began = time.monotonic()
    for number in numbers:
        os.kill(server.pid, number)
        await asyncio.sleep(0.3)
    code = await asyncio.wait_for(server._process.wait(), 60)
    return code, time.monotonic() - began


async def gone(player: Player) -> None:
    async def connected() -> bool:
        return bool(player.socket.connected)

    await until(connected, lambda there: not there)


async def test_a_stop_ends_everything_and_the_next_start_finds_it_all(
    tmp_path: Path, table: Table
) -> None:
    settings = quick(DATA_DIR=tmp_path, SHUTDOWN__GRACE_SECONDS=0.5, **WAITS)
    said: list[str] = []
    duel: dict[str, Any] = {}
    players: list[Player] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        async with started(**settings) as server:
            if not players:
                status, _ = await table.post(server.url, "/auth/register", LOGIN)
                assert status == 201
                players = [
                    await table.seat(server.url, "ann"),
                    await table.seat(server.url, "bob", transport="polling"),
                ]
                duel = await table.duel(players[0], players[1])
            else:
                players = await _back(table, server, players)
                await _check(table, server, players, said, duel)
            for player in players:
                await player.do("chat:join", room=ROOM)
                sent = await player.do("chat:send", room=ROOM, text="mark my words")
                said.append(sent["message"]["id"])
            everybody = [server.pid, *processes_with(str(tmp_path))]
            assert len(everybody) == 3
            code, seconds = await signalled(server, number)
            assert code == 0
            assert seconds < BOUND
            for player in players:
                farewell = await player.next("server:disconnect")
                assert (farewell["code"], farewell["reconnect"]) == ("draining", True)
                await gone(player)
            await ended(*everybody, seconds=1)
            assert processes_with(str(tmp_path)) == {}
            unharmed(server)

    began = time.monotonic()
    async with started(**settings) as server:
        assert time.monotonic() - began < BOUND
        ann, bob = await _back(table, server, players)
        await _check(table, server, [ann, bob], said, duel)
        assert (await finish(ann, bob, duel["id"]))["status"] == "finished"


async def _back(table: Table, server: Server, players: list[Player]) -> list[Player]:
    """The same players, one on each transport."""
    transports = ("websocket", "polling")
    return [
        await table.player(server.url, player.tokens).connect(transport)
        for player, transport in zip(players, transports, strict=True)
    ]


async def _check(
    table: Table, server: Server, players: list[Player], said: list[str], duel: dict[str, Any]
) -> None:
    """The account, the chat and the duel are there, the clock has not run."""
    await Probe(table).green(server)
    status, tokens = await table.post(server.url, "/auth/login", LOGIN)
    assert status == 200, tokens
    assert [message["id"] for message in await history(players[0], ROOM)] == said
    shown = players[1].ready["resume"]["duel"]
    for name in ("id", "round", "you", "commitment"):
        assert shown[name] == duel[name]
    assert shown["deadline"] - players[1].ready["server_time"] > 10_000


async def test_a_second_signal_does_not_wait(tmp_path: Path, table: Table) -> None:
    players: list[Player] = []
    for workers in (1, 2):  # the second time on what the first one left behind
        settings = quick(DATA_DIR=tmp_path, SHUTDOWN__GRACE_SECONDS=60, WORKERS=workers)
        async with started(**settings) as server:
            players = [await table.seat(server.url, f"p{n}") for n in range(3)]
            others = {*children(server.pid), *processes_with(str(tmp_path))}
            code, seconds = await signalled(server, signal.SIGTERM, signal.SIGINT)
            assert code == FORCED
            assert seconds < BOUND
            await ended(*others, seconds=20)
            for player in players:
                await gone(player)
    async with started(**quick(DATA_DIR=tmp_path)) as server:
        assert (await table.player(server.url, players[0].tokens).connect()).ready


async def test_workers_are_ended_in_order(tmp_path: Path, table: Table) -> None:
    settings = quick(DATA_DIR=tmp_path, WORKERS=2, **WAITS)
    async with started(**settings) as server:
        players = [await table.seat(server.url, f"p{n}") for n in range(6)]
        everybody = [server.pid, *children(server.pid), *processes_with(str(tmp_path))]
        code, seconds = await signalled(server, signal.SIGINT)
        assert code == 0
        assert seconds < BOUND
        for player in players:
            assert (await player.next("server:disconnect"))["code"] == "draining"
        await ended(*everybody, seconds=1)
        assert processes_with(str(tmp_path)) == {}
        unharmed(server)
