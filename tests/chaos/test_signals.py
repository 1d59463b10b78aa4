"""Ctrl-C and SIGTERM end everything in order, a second one ends it at once; data survives."""

from __future__ import annotations

import asyncio
import contextlib
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
)
from tests.harness import Player, Server, Table

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

ROOM = "room:signals"
LOGIN = {"username": "annabel", "password": "correct horse battery"}
FORCED = 130


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
    async with asyncio.timeout(20):
        while player.socket.connected:
            await asyncio.sleep(0.05)


async def test_a_stop_ends_everything_and_the_next_start_finds_it_all(
    tmp_path: Path, table: Table
) -> None:
    settings = quick(DATA_DIR=tmp_path, SHUTDOWN__GRACE_SECONDS=0.5)
    said: list[str] = []
    duel: dict[str, Any] = {}
    ann = bob = None
    for number in (signal.SIGINT, signal.SIGTERM):
        async with started(**settings) as server:
            if ann is None or bob is None:
                status, _ = await table.post(server.url, "/auth/register", LOGIN)
                assert status == 201
                ann = await table.seat(server.url, "ann")
                bob = await table.seat(server.url, "bob", transport="polling")
                duel = await table.duel(ann, bob)
            else:
                ann = await table.player(server.url, ann.tokens).connect()
                bob = await table.player(server.url, bob.tokens).connect(transport="polling")
                await _check(table, server, ann, bob, said, duel)
            for player in (ann, bob):
                await player.do("chat:join", room=ROOM)
                sent = await player.do("chat:send", room=ROOM, text="mark my words")
                said.append(sent["message"]["id"])
            everybody = [server.pid, *processes_with(str(tmp_path))]
            assert len(everybody) == 3
            code, seconds = await signalled(server, number)
            assert code == 0
            assert seconds < 10
            for player in (ann, bob):
                farewell = await player.next("server:disconnect")
                assert (farewell["code"], farewell["reconnect"]) == ("draining", True)
                await gone(player)
            await ended(*everybody, seconds=1)
            assert processes_with(str(tmp_path)) == {}
            unharmed(server)

    began = time.monotonic()
    async with started(**settings) as server:
        assert time.monotonic() - began < 10
        ann = await table.player(server.url, ann.tokens).connect()
        bob = await table.player(server.url, bob.tokens).connect()
        await _check(table, server, ann, bob, said, duel)
        assert (await finish(ann, bob, duel["id"]))["status"] == "finished"


async def _check(
    table: Table, server: Server, ann: Player, bob: Player, said: list[str], duel: dict[str, Any]
) -> None:
    """The account, the chat and the duel are there, the clock has not run."""
    await Probe(table).green(server)
    status, tokens = await table.post(server.url, "/auth/login", LOGIN)
    assert status == 200, tokens
    assert [message["id"] for message in await history(ann, ROOM)] == said
    shown = bob.ready["resume"]["duel"]
    for name in ("id", "round", "you", "commitment"):
        assert shown[name] == duel[name]
    assert shown["deadline"] - bob.ready["server_time"] > 10_000


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_second_signal_does_not_wait(tmp_path: Path, table: Table, workers: int) -> None:
    settings = quick(DATA_DIR=tmp_path, SHUTDOWN__GRACE_SECONDS=30, WORKERS=workers)
    async with started(**settings) as server:
        players = [await table.seat(server.url, f"p{n}") for n in range(3)]
        others = {*children(server.pid), *processes_with(str(tmp_path))}
        code, seconds = await signalled(server, signal.SIGTERM, signal.SIGINT)
        assert code == FORCED
        assert seconds < 5
        await ended(*others, seconds=20)
        for player in players:
            with contextlib.suppress(TimeoutError):
                await gone(player)
    async with started(**quick(DATA_DIR=tmp_path)) as server:
        assert (await table.player(server.url, players[0].tokens).connect()).ready


async def test_workers_are_ended_in_order(tmp_path: Path, table: Table) -> None:
    settings = quick(DATA_DIR=tmp_path, WORKERS=2)
    async with started(**settings) as server:
        players = [await table.seat(server.url, f"p{n}") for n in range(6)]
        everybody = [server.pid, *children(server.pid), *processes_with(str(tmp_path))]
        code, seconds = await signalled(server, signal.SIGINT)
        assert code == 0
        assert seconds < 10
        for player in players:
            assert (await player.next("server:disconnect"))["code"] == "draining"
        await ended(*everybody, seconds=1)
        assert processes_with(str(tmp_path)) == {}
        unharmed(server)
