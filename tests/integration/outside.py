"""An outside ledger of our own, for tests: real HTTP, one transfer for each key."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

KEY = "a key of tests"
SLOW_SECONDS = 30.0  # longer than anybody waits


class Outside:
    """The address of a transfer says what becomes of it: `good` is confirmed when it is asked
    about for the second time, `bad` fails for good, anything else stays pending.

    `away`: every call is answered 503. `lost`: so many transfers are taken without an answer.
    """

    def __init__(self) -> None:
        self.url = ""
        self.away = False
        self.lost = 0
        self.transfers: dict[str, dict[str, Any]] = {}
        self.submits: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.refused = 0

    async def submit(self, request: web.Request) -> web.Response:
        """POST /transfers."""
        self.check(request)
        body = await request.json()
        key = request.headers["Idempotency-Key"]
        self.submits[key] += 1
        assert key == body["id"]
        assert self.transfers.setdefault(key, body) == body
        if self.lost:
            self.lost -= 1
            await asyncio.sleep(SLOW_SECONDS)
        return self.answer(key)

    async def ask(self, request: web.Request) -> web.Response:
        """GET /transfers/{id}."""
        self.check(request)
        key = request.match_info["id"]
        if key not in self.transfers:
            raise web.HTTPNotFound
        self.asked[key] += 1
        return self.answer(key)

    def check(self, request: web.Request) -> None:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        if self.away:
            self.refused += 1
            raise web.HTTPServiceUnavailable

    def answer(self, key: str) -> web.Response:
        address, said = self.transfers[key]["address"], {"status": "pending"}
        if address == "bad":
            said = {"status": "failed", "reason": "no such account"}
            return web.json_response(said, status=422)
        if address == "good" and self.asked[key] >= 2:
            said = {"status": "confirmed"}
        return web.json_response({**said, "reference": f"r-{key}"}, status=202)


@asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    """One that listens."""
    one = Outside()
    app = web.Application()
    app.router.add_post("/transfers", one.submit)
    app.router.add_get("/transfers/{id}", one.ask)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield one
    finally:
        await runner.cleanup()


def settings(one: Outside, **more: object) -> dict[str, object]:
    """Of a server that settles there, soon."""
    return {
        "SETTLEMENT__URL": one.url,
        "SETTLEMENT__KEY": KEY,
        "SETTLEMENT__TIMEOUT_SECONDS": 1.0,
        "SETTLEMENT__FIRST_SECONDS": 0.05,
        "SETTLEMENT__MOST_SECONDS": 0.2,
        **more,
    }
