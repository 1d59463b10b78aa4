"""docs/examples/nginx.conf, as it stands there, with Debian's nginx in front of two nodes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.chaos.chaos_kit import quick, started
from tests.fixtures import Stores, on
from tests.harness import ADMIN, ADMIN_PASSWORD, ROOT, Player, Server, Table
from tests.integration.node import check_upgrades
from tests.valkeys import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.js]

EXAMPLE = ROOT / "docs" / "examples" / "nginx.conf"
UNPACKED = ROOT / ".venv" / "nginx" / "usr" / "sbin" / "nginx"
AROUND = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/showdown.conf;
}}
"""


@pytest.fixture
def binary() -> str:
    found = shutil.which("nginx") or (str(UNPACKED) if UNPACKED.exists() else None)
    if found is None:
        pytest.skip("no nginx: scripts/test gets Debian's where apt works")
    return found


@asynccontextmanager
async def nginx(binary: str, folder: Path, *nodes: str) -> AsyncIterator[str]:
    """The example, at a free port and with these nodes."""
    (port,) = free_ports(1)
    text = EXAMPLE.read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
    for there, here in zip(("10.0.0.11:8080", "10.0.0.12:8080"), nodes, strict=True):
        assert there in text
        text = text.replace(there, here.removeprefix("http://"))
    (folder / "showdown.conf").write_text(text)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    command = (binary, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
async def sources() -> AsyncIterator[Iterator[aiohttp.ClientSession]]:
    """Clients from one loopback address after the other."""
    async with AsyncExitStack() as stack:

        def make() -> Iterator[aiohttp.ClientSession]:
            for n in range(2, 200):
                connector = aiohttp.TCPConnector(local_addr=(f"127.0.0.{n}", 0))
                session = aiohttp.ClientSession(connector=connector)
                stack.push_async_callback(session.close)
                yield session

        yield make()


async def connected(table: Table, server: Server) -> dict[str, Any]:
    """GET /connections, past nginx."""
    body = {"username": ADMIN, "password": ADMIN_PASSWORD}
    _, admin = await table.post(server.url, "/auth/login", body)
    path = "/connections?limit=100"
    _, found = await table.call("GET", server.url, path, token=admin["access_token"])
    shown: dict[str, Any] = found
    return shown


async def test_two_nodes_behind_nginx_are_one_server(
    binary: str,
    emptied: Stores,
    table: Table,
    tmp_path: Path,
    sources: Iterator[aiohttp.ClientSession],
) -> None:
    settings = on(emptied, **quick(HTTP__TRUSTED_PROXIES="127.0.0.1/32"))
    async with (
        started(**settings) as one,
        started(**settings) as other,
        nginx(binary, tmp_path, one.url, other.url) as url,
    ):
        await check_upgrades(url, 2, 5)  # stock JavaScript clients
        pollers = [await poller(table, url, next(sources))]
        found = await connected(table, one)
        while sum(node["connections"] > 0 for node in found["nodes"]) < 2:
            pollers.append(await poller(table, url, next(sources)))
            found = await connected(table, one)
        # The nodes know where the clients are.
        addresses = {view["address"] for view in found["connections"]}
        assert addresses == {f"127.0.0.{n + 2}" for n in range(len(pollers))}
        near, far = pollers[0], pollers[-1]
        for n in range(20):
            await near.do("chat:send", room="room:nginx", text=f"near {n}")
            await far.do("chat:send", room="room:nginx", text=f"far {n}")
        for one_of_them in (near, far):
            await one_of_them.next("chat:message", lambda message: message["text"] == "far 19")
            assert len(one_of_them.seen("chat:message")) == 40
        async with table.http.get(f"{url}/metrics") as hidden:
            assert hidden.status == 404
        # A node goes: its addresses are the other one's from now on.
        await other.kill()
        for one_of_them in pollers:
            await one_of_them.leave()
            await one_of_them.connect("polling")


async def poller(table: Table, url: str, http: aiohttp.ClientSession) -> Player:
    """A stock Python client that never upgrades."""
    player = await (await table.guest(url, http_session=http)).connect("polling")
    await player.do("chat:join", room="room:nginx")
    return player
