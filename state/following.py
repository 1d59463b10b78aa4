"""Connections of redis-py that go where our lines go: for the jobs' engine, which cannot use
lines. Each asks for its store when it is made, and ends when that turns out to be another one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, SSLConnection
from redis.asyncio.connection import parse_url
from redis.exceptions import ConnectionError as LineBroken
from redis.exceptions import MovedError, ReadOnlyError

from config.redis_url import PORT, RedisUrl

Find = Callable[[], Awaitable[str]]


class Following(Connection):
    """One connection; redis-py's retries are what makes it again."""

    def __init__(self, *, find: Find, **options: Any) -> None:
        super().__init__(**options)
        self._find = find

    async def _connect(self) -> None:
        there = parse_url(await self._find())
        self.host, self.port = there["host"], there.get("port", PORT)
        await super()._connect()  # type: ignore[no-untyped-call]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """As redis-py, but a store that is no more the right one counts as gone: it did not
        run the command.
        """
        try:
            return await super().read_response(*args, **options)
        except (MovedError, ReadOnlyError) as error:
            await self.disconnect()
            raise LineBroken("The store is another one now.") from error


class FollowingSecurely(Following, SSLConnection):
    """The same over TLS."""


def pool(url: RedisUrl, find: Find, **options: Any) -> BlockingConnectionPool:
    """A pool of connections to the store that `find` gives the URL of."""
    if url.kind == "single":
        return BlockingConnectionPool.from_url(url.text, **options)
    known: dict[str, Any] = dict(parse_url(url.of(url.nodes[0])))
    secure = issubclass(known.pop("connection_class", Connection), SSLConnection)
    kind = FollowingSecurely if secure else Following
    return BlockingConnectionPool(connection_class=kind, find=find, **{**known, **options})
