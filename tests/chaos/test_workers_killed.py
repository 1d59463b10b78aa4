"""`--workers 2`: one of them is killed, then their parent; the port and the data stay."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.chaos.chaos_kit import (
    Probe,
    children,
    ended,
    history,
    processes_with,
    quick,
    started,
    unharmed,
    until,
)
from tests.harness import Player, Server, Table

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

ROOM = "room:workers"
LOGIN = {"username": "annabel", "password": "correct horse battery"}


def workers(server: Server) -> dict[str, int]:
    """The process of each node."""
    found = {}
    for pid in children(server.pid):
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        for line in environment:
            if line.startswith(b"SHOWDOWN_WORKER="):
                node = line.partition(b"=")[2].split()[0].decode()
                found[node] = pid
    return found


def node_of(player: Player) -> str:
    """An Engine.IO id begins with the node that it lives on."""
    sid: str = player.socket.eio.sid
    return sid.partition(".")[0]


async def pair_on_two_workers(table: Table, server: Server) -> tuple[Player, Player]:
    """Two players whom the kernel gave to different workers."""
    first = await table.seat(server.url, "first")
    async with asyncio.timeout(30):
        while True:
            second = await table.seat(server.url, "second")
            if node_of(second) != node_of(first):
                return first, second
            await second.leave()


async def test_a_killed_worker_is_replaced_and_a_killed_parent_leaves_nothing_running(
    tmp_path: Path, table: Table
) -> None:
    # The usual lease: what is cleaned up sooner was declared by the parent.
    settings = quick(DATA_DIR=tmp_path, WORKERS=2)
    async with started(**settings) as server:
        status, tokens = await table.post(server.url, "/auth/register", LOGIN)
        assert status == 201, tokens
        victim, watcher = await pair_on_two_workers(table, server)
        duel = await table.duel(victim, watcher)
        for player in (victim, watcher):
            await player.do("chat:join", room=ROOM)
        said = (await victim.do("chat:send", room=ROOM, text="before"))["message"]
        await watcher.do("presence:watch", player_ids=[victim.id])
        before = workers(server)
        assert len(before) == 2
        os.kill(before[node_of(victim)], signal.SIGKILL)

        told = await watcher.next("duel:opponent", seconds=5)
        assert (told["player_id"], told["connected"]) == (victim.id, False)
        await watcher.next(
            "presence:changed", lambda one: _status(one, victim) == "offline", seconds=5
        )
        members = (await watcher.do("chat:join", room=ROOM))["members"]
        assert [member["id"] for member in members] == [watcher.id]

        async def others() -> dict[str, int]:
            return workers(server)

        after = await until(others, lambda found: len(found) == 2)
        assert len(before.keys() & after.keys()) == 1
        await _port_serves(table, server)
        back = await _new_connection(table, victim)
        assert back.ready["resume"]["duel"]["id"] == duel["id"]
        assert (await watcher.next("duel:opponent"))["connected"]
        unharmed(server)

        everybody = processes_with(str(tmp_path))
        assert len(everybody) == 2, everybody
        await server.kill()
        await ended(*after.values(), *everybody, seconds=20)

    async with started(**settings) as server:
        await Probe(table).green(server)
        status, tokens = await table.post(server.url, "/auth/login", LOGIN)
        assert status == 200, tokens
        reader = await table.player(server.url, watcher.tokens).connect()
        assert [one["id"] for one in await history(reader, ROOM)] == [said["id"]]
        assert reader.ready["resume"]["duel"]["id"] == duel["id"]
        unharmed(server)
    assert processes_with(str(tmp_path)) == {}


def _status(changed: dict[str, dict[str, dict[str, str]]], player: Player) -> str | None:
    view = changed["presence"].get(player.id)
    return view["status"] if view else None


async def _port_serves(table: Table, server: Server) -> None:
    """Connection after connection is answered, by whichever worker."""
    for _ in range(20):
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as http,
            http.get(f"{server.url}/health/live") as answer,
        ):
            assert answer.status == 200


async def _new_connection(table: Table, player: Player) -> Player:
    return await table.player(player.url, player.tokens).connect()
