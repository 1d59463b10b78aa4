"""Servers that outlive the loop of one test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.fixtures import Stores, on
from tests.harness import Server

WAIT_SECONDS = 90.0

T = TypeVar("T")


class Host:
    """Starts servers on a loop in a thread, all on the same stores."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._servers: list[Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def start(self, kind: type[Server] = Server, **settings: object) -> Server:
        """One more server, until the host stops.

        All keep little of a chat room in Redis, so that tests get to the archive: any of
        them may be the one that archives a room. JOBS__WORKERS=False for those that order no
        jobs saves a processor: looking for jobs takes a server a few per cent of one.
        """
        server = kind(**on(self._stores, **{"CHAT__TAIL": 50, **settings}))
        self._servers.append(server)
        return self._run(server.start())

    def stop(self) -> None:
        """End all servers, then the loop."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        await asyncio.gather(*(server.stop() for server in self._servers))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_SECONDS)
