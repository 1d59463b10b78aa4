"""A webhook's receiver, for tests: real HTTP, and Standard Webhooks' own library checks us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks import Webhook

from tests.harness import Player, Table

PATIENCE = 20.0


class Receiver:
    """Keeps what it took. `answers` are the statuses of its next answers, then it says 204."""

    def __init__(self) -> None:
        self.url = ""
        self.secret = ""
        self.took: list[dict[str, Any]] = []
        self.tries: list[str] = []
        self.answers: list[int] = []
        self.status = 204
        self.location = ""
        self._news = asyncio.Event()

    async def receive(self, request: web.Request) -> web.Response:
        """POST /hook."""
        body = await request.read()
        event_id = request.headers["webhook-id"]
        self.tries.append(event_id)
        status = self.answers.pop(0) if self.answers else self.status
        if status < 300:
            verified = Webhook(self.secret).verify(body, dict(request.headers))
            assert verified == orjson.loads(body)
            self.took.append({"id": event_id, **verified})
        self._news.set()
        headers = {"Location": self.location} if self.location else {}
        return web.Response(status=status, text="seen" if status != 204 else None, headers=headers)

    def of(self, type: str, **data: object) -> list[dict[str, Any]]:
        """What it took of a type, with these data."""
        wanted = data.items()
        return [one for one in self.took if one["type"] == type and wanted <= one["data"].items()]

    async def until(self, done: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait until something came that makes this true."""
        async with asyncio.timeout(seconds):
            while not done():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def receiver(port: int = 0) -> AsyncIterator[Receiver]:
    """One that listens."""
    one = Receiver()
    app = web.Application()
    app.router.add_post("/hook", one.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield one
    finally:
        await runner.cleanup()


class Operator:
    """The administrator, at the webhooks."""

    def __init__(self, table: Table, url: str, player: Player) -> None:
        self.table, self.url, self.player = table, url, player
        self._token = player.tokens["access_token"]

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """(status, JSON) of a call below /webhooks."""
        return await self.table.call(method, self.url, f"/webhooks{path}", body, self._token)

    async def subscribe(self, to: Receiver, *events: str) -> str:
        """A webhook to a receiver; its id. Other nodes know of it a second later."""
        status, made = await self.call("POST", "", {"url": to.url, "events": list(events)})
        assert status == 201, made
        to.secret = made["secret"]
        webhook_id: str = made["webhook"]["id"]
        return webhook_id

    async def shown(self, webhook_id: str) -> dict[str, Any]:
        """A webhook as it is."""
        _, answer = await self.call("GET", f"/{webhook_id}")
        view: dict[str, Any] = answer["webhook"]
        return view

    async def deliveries(self, webhook_id: str, query: str = "") -> dict[str, Any]:
        """A page of the log."""
        status, page = await self.call("GET", f"/{webhook_id}/deliveries{query}")
        assert status == 200, page
        shown: dict[str, Any] = page
        return shown

    async def newest(self, webhook_id: str, status: str) -> dict[str, Any]:
        """The newest delivery, once it is in this state."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for one in (await self.deliveries(webhook_id, "?limit=1"))["deliveries"]:
                    if one["status"] == status:
                        found: dict[str, Any] = one
                        return found
                await asyncio.sleep(0.05)


async def operator(table: Table, url: str) -> Operator:
    """Him, signed in at a server."""
    return Operator(table, url, await table.admin(url))
