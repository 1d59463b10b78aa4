"""Redis or Valkey: one pool, one breaker, one place where its errors become ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha1
from pathlib import Path
from typing import Any, Self

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    NoScriptError,
    ReadOnlyError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from config.settings import Redis as RedisSettings
from state.breaker import Breaker, Observer

# What means "the store is away", not "the call was wrong".
AWAY = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    OSError,
    TimeoutError,
)

Argument = str | bytes | int | float


class Script:
    """One Lua file of state/scripts, called by its hash.

    `state/scripts/lib.lua` is put in front of each, so that helpers are written once.
    """

    def __init__(self, name: str) -> None:
        folder = Path(__file__).parent / "scripts"
        body = (folder / f"{name}.lua").read_text("utf-8")
        self.name = name
        self.text = (folder / "lib.lua").read_text("utf-8") + "\n" + body
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class RedisStore:
    """What the rest of `state` calls: scripts, single commands, and batches of them.

    Commands are never sent twice by the driver: a retry after a lost answer would
    run a script's effect again. What is safe to repeat is repeated by who knows it.
    """

    def __init__(self, url: str, settings: RedisSettings, observe: Observer | None = None) -> None:
        self.breaker = Breaker("redis", AWAY, observe)
        self._timeout = settings.timeout_seconds
        self.size = settings.pool_size
        self.pool = self._pool(url, settings.pool_size)
        # A subscriber waits for as long as nothing is published, within bounds of its own.
        self._listening = self._pool(url, 4)
        self._client = Redis(connection_pool=self.pool)

    def _pool(self, url: str, size: int) -> BlockingConnectionPool:
        return BlockingConnectionPool.from_url(
            url,
            max_connections=size,
            timeout=self._timeout,
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
        await self.pool.disconnect()
        await self._listening.disconnect()

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script atomically.

        Raises:
            DependencyUnavailable: Redis did not answer; the script may have run.
        """
        with self.breaker.guard(script.name):
            try:
                return await self._client.evalsha(script.sha, len(keys), *keys, *args)
            except NoScriptError:  # the first call, or Redis was restarted or emptied
                return await self._client.eval(script.text, len(keys), *keys, *args)

    async def call(self, *command: Argument) -> Any:
        """Send one command.

        Raises:
            DependencyUnavailable: Redis did not answer; the command may have run.
        """
        with self.breaker.guard(str(command[0]).lower()):
            return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def batch(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Send many commands in one round trip, not atomically; answers in their order.

        Raises:
            DependencyUnavailable: Redis did not answer; some commands may have run.
        """
        if not commands:
            return []
        with self.breaker.guard("batch"):
            async with self._client.pipeline(transaction=False) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                return list(await pipe.execute())

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[str]]:
        """What is published to a channel, over a connection of its own.

        Raises:
            DependencyUnavailable: the connection broke; what follows is missed.
        """
        with self.breaker.guard("subscribe"):
            async with Redis(connection_pool=self._listening).pubsub() as listener:
                await listener.subscribe(channel)
                await self._next(listener)  # Redis says that it was done
                yield self._texts(listener)

    async def _texts(self, listener: PubSub) -> AsyncIterator[str]:
        while True:
            message = await self._next(listener)
            if message["type"] == "message":
                yield message["data"]

    async def _next(self, listener: PubSub) -> dict[str, Any]:
        """What Redis says next. A silent channel is asked for a sign of life, since a host
        that lost its power, or a network between us, ends no connection.
        """
        message: dict[str, Any] | None = await listener.get_message(timeout=self._timeout)
        if message is None:
            await listener.ping()
            message = await listener.get_message(timeout=self._timeout)
        if message is None:
            raise TimeoutError
        return message

    async def ping(self) -> None:
        """Ask for a sign of life, past the breaker: this is how a return is noticed.

        Raises:
            DependencyUnavailable: none came.
        """
        with self.breaker.probe():
            async with asyncio.timeout(self._timeout):
                await self._client.ping()

    @property
    def in_use(self) -> int:
        """Connections of the pool that are busy."""
        return len(self.pool._in_use_connections)  # noqa: SLF001 - redis-py 8.1 shows no count
