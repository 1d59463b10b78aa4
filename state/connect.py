"""Redis or Valkey: one pool, one breaker, one place where its errors become ours."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha1
from pathlib import Path
from typing import Any, Self

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from config.settings import Redis as RedisSettings
from game.errors import DependencyUnavailable
from state.breaker import Breaker, Observer

# What means "the store is away", not "the call was wrong".
AWAY = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    OutOfMemoryError,
    OSError,
    TimeoutError,
)

CHANNELS_AT_ONCE = 500  # in one command
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
            protocol=2,  # in RESP3 what is published comes as pushes, past the reader
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
    async def subscription(self) -> AsyncIterator[Subscription]:
        """Channels to listen to, over a connection of their own.

        Raises:
            DependencyUnavailable: the connection broke; what follows is missed.
        """
        with self.breaker.guard("subscribe"):
            connection = await self._listening.get_connection()  # type: ignore[no-untyped-call]
            try:
                yield Subscription(connection)
            finally:
                await connection.disconnect(nowait=True)
                await self._listening.release(connection)

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


class Subscription:
    """A growing and shrinking set of channels on one connection, so that what is published
    to all of them arrives in its order.

    Not redis-py's PubSub: that one connects again by itself, and nobody learns that
    something was missed meanwhile.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection

    async def add(self, channels: Sequence[str]) -> None:
        """Ask for channels; each is heard from the moment that it is confirmed."""
        for start in range(0, len(channels), CHANNELS_AT_ONCE):
            await self._send("SUBSCRIBE", *channels[start : start + CHANNELS_AT_ONCE])

    async def drop(self, *channels: str) -> None:
        """Ask for channels no more."""
        await self._send("UNSUBSCRIBE", *channels)

    async def ping(self) -> None:
        """Ask for a sign of life, which comes as a `pong`."""
        await self._send("PING")

    async def _send(self, *command: str) -> None:
        if not self._connection.is_connected:  # it would connect again, by itself
            raise DependencyUnavailable
        try:
            with _answering():
                await self._connection.send_command(*command, check_health=False)
        except Exception:
            if self._connection.is_connected:
                raise
            # Whoever reads noticed the end first, and took the line down under our hands.
            raise DependencyUnavailable from None

    async def __aiter__(self) -> AsyncIterator[tuple[str, str, str]]:
        """(kind, channel, text): `message`s, `subscribe`s as confirmations, and `pong`s."""
        while True:
            with _answering():
                answer: Any = await self._connection.read_response(timeout=math.inf)
            kind, channel, *text = answer
            yield kind, channel, text[0] if kind == "message" else ""


@contextmanager
def _answering() -> Iterator[None]:
    """Redis' absence as ours, where several tasks use one connection: in the group of their
    errors no breaker finds it.
    """
    try:
        yield
    except AWAY as error:
        raise DependencyUnavailable from error
