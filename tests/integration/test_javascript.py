"""The stock JavaScript client, run by Node: js/*.mjs print lines of JSON."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from tests.fixtures import Stores, on
from tests.harness import ROOT, Server, Table, serving
from tests.integration.duel_kit import check_deal, check_view
from tests.integration.hosting import Host

pytestmark = pytest.mark.js

SCRIPTS = ROOT / "tests" / "integration" / "js"
SECONDS = 30.0


class Node:
    """A script that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> dict[str, Any]:
        """The next line; what it writes to standard error is shown by pytest."""
        assert self._process.stdout
        text = await asyncio.wait_for(self._process.stdout.readline(), SECONDS)
        assert text, "the script ended"
        said: dict[str, Any] = orjson.loads(text)
        return said

    async def step(self, name: str) -> dict[str, Any]:
        """The data of the next line, which must be of that step."""
        said = await self.line()
        assert said["step"] == name, said
        data: dict[str, Any] = said["data"]
        return data

    async def ended(self) -> int:
        """Its exit code."""
        return await asyncio.wait_for(self._process.wait(), SECONDS)


@asynccontextmanager
async def node(script: str, *arguments: str) -> AsyncIterator[Node]:
    """Run a script for the length of a block."""
    program = shutil.which("node", path=f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert program, "scripts/test brings Node along"
    process = await asyncio.create_subprocess_exec(
        *(program, str(SCRIPTS / script), *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    try:
        yield Node(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_the_journey_from_sign_in_to_the_end_of_a_duel(lone: Server) -> None:
    async with node("journey.mjs", lone.url) as script:
        ready = await script.step("ready")
        assert ready["ann"]["player"]["name"] == "Ann"
        assert ready["ann"]["session_id"] == ready["id"]
        chat = await script.step("chat")
        assert chat["heard"] == chat["sent"]
        assert (chat["joined"]["member_count"], chat["sent"]["text"]) == (2, "hello")
        assert (await script.step("presence"))["status"] == "busy"
        await check_duel(await script.step("duel"))
        for step, code in (("unknown", "unknown_event"), ("binary", "validation_failed")):
            assert (await script.step(step))["error"]["code"] == code
        for step, code, status in (
            ("nobody", "unauthenticated", 401),
            ("nonsense", "unauthenticated", 401),
            ("foreign", "forbidden", 403),
        ):
            refused = await script.step(step)
            assert refused["message"] == refused["data"]["code"] == code
            assert refused["data"]["status"] == status
            assert refused["active"] is False
        logout = await script.step("logout")
        assert (logout["farewell"]["code"], logout["farewell"]["reconnect"]) == (
            *("token_revoked", False),
        )
        assert (logout["reason"], logout["active"]) == ("io server disconnect", False)
        assert await script.ended() == 0


async def check_duel(said: dict[str, Any]) -> None:
    view = said["view"]
    check_view(view)
    assert said["ended"] == view
    assert said["rounds"] == [result["round"] for result in view["rounds"]]
    everything = [[0, 1, 2, 3, 4]] * 2
    check_deal(view, dict.fromkeys(said["rounds"], everything))


async def check_upgrades(server: Server, clients: int, messages: int) -> list[dict[str, Any]]:
    """All began with polling, ended with WebSocket, and heard everybody in order."""
    async with node("upgrade.mjs", server.url, str(clients), str(messages)) as script:
        reports = [await script.line() for _ in range(clients)]
        assert await script.ended() == 0
    for report in reports:
        assert (report["began"], report["transport"]) == ("polling", "websocket")
        own = [text for text in report["heard"] if text.startswith(report["id"])]
        assert own == [f"{report['id']} {number}" for number in range(messages)]
        # Who joined later missed the beginning of what others said, and nothing after that.
        for other in reports:
            heard = [text for text in report["heard"] if text.startswith(other["id"])]
            said = [f"{other['id']} {number}" for number in range(messages)]
            assert heard == said[len(said) - len(heard) :]
        assert report["heard"][-1] == "the end"
    return reports


async def test_clients_change_their_transport_while_others_talk(lone: Server) -> None:
    await check_upgrades(lone, clients=8, messages=20)


async def test_clients_change_their_transport_between_workers(host: Host) -> None:
    server = host.start(WORKERS=2, LIMITS__CHAT_MESSAGES=1_000, LIMITS__EVENTS_BURST=1_000)
    reports = await check_upgrades(server, clients=8, messages=20)
    assert len({report["node"] for report in reports}) == 2


async def test_clients_come_back_by_themselves_after_a_restart(
    shared_stores: Stores, table: Table
) -> None:
    settings = on(shared_stores, NODES__LEASE_SECONDS=2)
    async with serving(**settings) as first:
        port = urlsplit(first.url).port
        ann = await table.guest(first.url, "Ann")
        table.options = {
            "http_session": table.http,
            "reconnection": True,
            "reconnection_delay": 0.1,
        }
        python = await table.seat(first.url, "Bob")
        async with node("faithful.mjs", first.url, ann.tokens["refresh_token"]) as script:
            before = await script.step("ready")
            await first.stop()
            assert await script.step("farewell") == {
                "code": "draining",
                "reason": "The server is shutting down.",
                "reconnect": True,
            }
            gone = await script.step("disconnect")
            assert gone == {"reason": "transport close", "active": True}
            async with serving(**{**settings, "PORT": port}) as second:
                check_back(await script.step("ready"), before)
                assert (await python.next("session:ready"))["player"]["id"] == python.id
                await second.kill()
                assert (await script.step("disconnect"))["active"] is True
            async with serving(**{**settings, "PORT": port}):
                check_back(await script.step("ready"), before)
                await python.next("session:ready")
                await python.socket.shutdown()


def check_back(ready: dict[str, Any], before: dict[str, Any]) -> None:
    assert ready["player"] == before["player"]
