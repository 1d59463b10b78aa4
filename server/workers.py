"""`--workers N`: one parent, N nodes on one port; a worker that dies is replaced."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

from prometheus_client.multiprocess import mark_process_dead

from config.logging import get_logger
from config.settings import Settings
from game.errors import DependencyUnavailable
from server.metrics import MULTIPROCESS
from server.stores import Stores
from state.connect import RedisStore
from state.live import Live
from state.processes import LAUNCHER

WORKER = "SHOWDOWN_WORKER"  # set by the parent: "<node id> <path of the node's door>"
START_SECONDS = 60.0
RESTART_SECONDS = 0.5  # before a worker that died is started again
POLL_SECONDS = 0.05

log = get_logger(__name__)


class Workers:
    """The children of one `serve`. Entered, all of them listen."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self._settings = settings
        self._stores = stores
        self._stack = AsyncExitStack()
        self._children: dict[str, asyncio.subprocess.Process] = {}  # by node
        self._keepers: list[asyncio.Task[None]] = []
        self._ending = False

    async def __aenter__(self) -> Self:
        # Short, since the path of a Unix socket may have some 100 characters.
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="showdown-"))
        self._folder = Path(folder)
        (self._folder / "metrics").mkdir()
        self._redis = await self._stack.enter_async_context(
            RedisStore(self._stores.redis_url, self._settings.redis)
        )
        self.port = self._reserve_port()
        nodes = [await self._start() for _ in range(self._settings.workers)]
        try:
            async with asyncio.timeout(START_SECONDS):
                while not all(self._door(node).exists() for node in nodes):  # noqa: ASYNC110 - files
                    await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending = True
        for child in self._children.values():
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        shutdown = self._settings.shutdown
        patience = shutdown.grace_seconds + 3 * shutdown.close_seconds
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=patience)
        for child in self._children.values():  # those that took too long
            with suppress(ProcessLookupError):
                child.kill()
        await self._stack.aclose()

    def _reserve_port(self) -> int:
        """Hold the port without listening, so that the workers share one that is free."""
        holder = self._stack.enter_context(socket.socket())
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((self._settings.address, self._settings.port))
        port: int = holder.getsockname()[1]
        return port

    def _door(self, node: str) -> Path:
        return self._folder / f"{node}.sock"

    async def _start(self) -> str:
        node = secrets.token_hex(4)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid())),
            *(sys.executable, "-m", "server", "serve"),
            env={**os.environ, **self._environment(node)},
            start_new_session=True,  # Ctrl-C is for the parent, which ends its workers in order
        )
        self._children[node] = child
        self._keepers.append(asyncio.create_task(self._keep(node, child)))
        return node

    def _environment(self, node: str) -> dict[str, str]:
        return {
            WORKER: f"{node} {self._door(node)}",
            MULTIPROCESS: str(self._folder / "metrics"),
            "SHOWDOWN_PORT": str(self.port),
            "SHOWDOWN_HOST": self._settings.address,
            "SHOWDOWN_REDIS_URL": self._stores.redis_url,
            "SHOWDOWN_MONGO_URL": self._stores.mongo_url,
            "SHOWDOWN_AUTH__SECRET": self._stores.secret.get_secret_value(),
        }

    async def _keep(self, node: str, child: asyncio.subprocess.Process) -> None:
        """Wait for a worker's end; if nobody asked for it, others take over at once."""
        code = await child.wait()
        del self._children[node]
        self._door(node).unlink(missing_ok=True)
        with_metrics = str(self._folder / "metrics")
        mark_process_dead(child.pid, with_metrics)  # type: ignore[no-untyped-call]
        if self._ending:
            return
        log.error("worker_died", node=node, code=code)
        live = Live(self._redis, self._settings.limits, "", self._settings.nodes.lease_seconds)
        with suppress(DependencyUnavailable):  # then the lease will tell
            await live.declare_gone([node])
        await asyncio.sleep(RESTART_SECONDS)
        await self._start()
