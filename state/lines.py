"""Lines to the stores that may be written to: one to a single address, one to the primary
that sentinels name (state/sentinels.py), one to each primary of a cluster (state/cluster.py).

Whoever owns the lines asks for one with a key, and sends over it. What was refused since the
key is elsewhere by now is sent there again; nothing else is sent twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from redis.exceptions import ConnectionError as LineBroken
from redis.exceptions import ResponseError

from config.redis_url import RedisUrl
from config.sections import Redis as RedisSettings
from state.line import Argument, Line, Listener, connect


class Greeting(NamedTuple):
    """What each new line to the store with `key` begins with: a command, made afresh."""

    key: str
    command: Callable[[], Sequence[Argument]]


class Lines:
    """One line, to one address."""

    sharded = False  # whether a channel belongs to the node that has its slot

    def __init__(self, url: RedisUrl, settings: RedisSettings) -> None:
        self.greeting: Greeting | None = None
        self._url = url
        self._settings = settings
        self._line: Line | None = None
        self._opening = asyncio.Lock()

    def now(self, key: str) -> Line | None:
        """The line to the store that has a key, if it is there: no turn of the loop is spent."""
        del key
        line = self._line
        return line if line is not None and not line.broken else None

    async def to(self, key: str) -> Line:
        """The line to the store that has a key, a new one if the last is broken.

        Raises:
            ConnectionError, OSError, TimeoutError, RedisError: there is none.
        """
        del key  # all are in one place
        if self._line is None or self._line.broken:
            async with self._opening:
                if self._line is None or self._line.broken:
                    self._line = await self._open()
        return self._line

    async def again(self, refusal: ResponseError, command: Sequence[Argument], key: str) -> Any:
        """Send a command again that was refused since its key is elsewhere."""
        del command, key
        raise refusal

    async def listen(self, listener: Listener, key: str) -> Line:
        """A line of its own, to hear what is published beside a key."""
        del key
        return await self._connect(await self._primary(), listener)

    async def ping(self) -> None:
        """Ask for a sign of life of all that is needed, and look whether it moved."""
        await (await self.to("")).send("PING")

    async def close(self) -> None:
        """Hang up."""
        if self._line:
            self._line.hang_up()
            await self._line.closed

    @property
    def waiting(self) -> int:
        """Commands that wait for their answers."""
        return self._line.waiting if self._line else 0

    async def address(self, key: str) -> str:
        """The URL of the store that has a key."""
        del key
        return await self._primary()

    async def _primary(self) -> str:
        """The URL of the store."""
        return self._url.text

    async def _open(self) -> Line:
        line = await self._connect(await self._primary())
        await self._greet(line)
        return line

    async def _connect(self, url: str, listener: Listener | None = None) -> Line:
        settings = self._settings
        return await connect(url, settings.timeout_seconds, settings.commands, listener)

    async def _greet(self, line: Line) -> None:
        """Nothing goes over a line before what has to be said first.

        Raises:
            ConnectionError: this is no place to say it.
        """
        if self.greeting:
            try:
                await line.send(*self.greeting.command())
            except BaseException as error:
                line.hang_up()
                if isinstance(error, ResponseError):
                    raise LineBroken(str(error)) from error
                raise
