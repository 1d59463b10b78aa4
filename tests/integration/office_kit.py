"""Servers that know the errands, and an operator at their REST calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from tests.fixtures import Stores, on
from tests.harness import ADMIN, ADMIN_PASSWORD, Server, Table

PAUSE_SECONDS = 0.05


class OfficeServer(Server):
    """A server with the errands among its tasks."""

    module = "tests.integration.errands"


class WorkServer(OfficeServer):
    """A process that works on queues and has no clients."""

    command = "work"


@asynccontextmanager
async def offices(*servers: Server) -> AsyncIterator[tuple[Server, ...]]:
    """All of them, started together, for the length of a block."""
    try:
        yield tuple(await asyncio.gather(*(server.start() for server in servers)))
    finally:
        await asyncio.gather(*(server.stop() for server in servers if server._process))


def settings(stores: Stores, folder: Path, **more: object) -> dict[str, object]:
    return on(
        stores,
        JOBS__REPORTS_DIR=folder,
        LIMITS__REQUESTS_PER_SECOND=1_000,
        LIMITS__REQUESTS_BURST=10_000,
        **more,
    )


class Operator:
    """Asks over REST."""

    def __init__(self, table: Table, url: str, token: str) -> None:
        self.table = table
        self.url = url
        self.token = token

    @classmethod
    async def sign_in(cls, table: Table, url: str) -> Self:
        body = {"username": ADMIN, "password": ADMIN_PASSWORD}
        status, tokens = await table.post(url, "/auth/login", body)
        assert status == 200, tokens
        return cls(table, url, tokens["access_token"])

    async def ask(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        return await self.table.call(method, self.url, path, body or None, self.token)

    async def does(self, method: str, path: str, **body: Any) -> Any:
        status, answer = await self.ask(method, path, **body)
        assert status < 300, answer
        return answer

    async def order(self, task: str, **fields: Any) -> str:
        ordered = await self.does("POST", "/jobs", task=task, **fields)
        job_id: str = ordered["id"]
        assert ordered["url"] == f"/api/v1/jobs/{job_id}"
        assert ordered["status"] == ("delayed" if fields.get("delay") else "waiting")
        return job_id

    async def job(self, job_id: str) -> Any:
        return await self.does("GET", f"/jobs/{job_id}")

    async def until(self, job_id: str, true: Callable[[Any], object], seconds: float = 30.0) -> Any:
        async with asyncio.timeout(seconds):
            while True:
                job = await self.job(job_id)
                if true(job):
                    return job
                await asyncio.sleep(PAUSE_SECONDS)

    async def ended(self, job_id: str, seconds: float = 30.0) -> Any:
        over = {"completed", "failed", "cancelled"}
        return await self.until(job_id, lambda job: job["status"] in over, seconds)
