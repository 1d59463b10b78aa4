"""An HTTP proxy that sends what is posted twice, as a proxy does that tries again too soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from tests.harness import Server

HOP_BY_HOP = {"transfer-encoding", "connection", "keep-alive", "content-length"}


class Doubling:
    """Passes requests on; POST twice, once more a moment later. The client gets one answer."""

    def __init__(self, target: Server) -> None:
        self.url = ""
        self.doubled = 0
        self._target = target
        self._again: set[asyncio.Task[web.Response]] = set()

    async def pass_on(self, request: web.Request) -> web.Response:
        """Send a request, and if it writes send it again."""
        body = await request.read()
        answer = await self._send(request, body)
        if request.method == "POST":
            self.doubled += 1
            again = asyncio.create_task(self._send(request, body))
            self._again.add(again)
            again.add_done_callback(self._again.discard)
        return answer

    async def _send(self, request: web.Request, body: bytes) -> web.Response:
        async with (
            aiohttp.ClientSession(self._target.url, auto_decompress=False) as http,
            http.request(
                request.method, request.path_qs, data=body, headers=request.headers
            ) as answer,
        ):
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


@asynccontextmanager
async def doubling(target: Server) -> AsyncIterator[Doubling]:
    """Such a proxy for the length of a block."""
    proxy = Doubling(target)
    app = web.Application(client_max_size=2**20)
    app.router.add_route("*", "/{path:.*}", proxy.pass_on)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield proxy
    finally:
        await runner.cleanup()
