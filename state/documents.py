"""MongoDB: one client, one breaker, and every difference between the two drivers.

motor is what this project was asked to use and is past its end of life; its successor
is pymongo's own asynchronous client. Both are behind `SHOWDOWN_MONGO__DRIVER`, and the
contract tests run on both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, ExecutionTimeout, WTimeoutError
from pymongo.monitoring import ConnectionPoolListener

from config.settings import Mongo as MongoSettings
from state.breaker import Breaker, Observer

# What means "the store is away", not "the call was wrong". ConnectionFailure covers
# server selection, the network and the wait for a pooled connection.
AWAY = (ConnectionFailure, ExecutionTimeout, WTimeoutError)

Document = dict[str, Any]


class DocumentStore:
    """A database whose calls all go through one breaker."""

    def __init__(self, url: str, settings: MongoSettings, observe: Observer | None = None) -> None:
        self.breaker = Breaker("mongo", AWAY, observe)
        self._motor = settings.driver == "motor"
        self.size = settings.pool_size
        self._in_use = _InUse()
        self._client = _client(url, settings, self._in_use)
        self._database = self._client[settings.database]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        closing = self._client.close()
        if not self._motor:
            await closing

    async def call(self, collection: str, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of a collection that answers once: `find_one`, `update_one`, ….

        Raises:
            DependencyUnavailable: MongoDB did not answer; a write may have happened.
        """
        with self.breaker.guard(f"{collection}.{method}"):
            return await getattr(self._database[collection], method)(*args, **options)

    async def find(
        self,
        collection: str,
        query: Mapping[str, Any],
        *,
        sort: Sequence[tuple[str, int]],
        limit: int,
    ) -> list[Document]:
        """The first `limit` documents in that order.

        Raises:
            DependencyUnavailable: MongoDB did not answer.
        """
        with self.breaker.guard(f"{collection}.find"):
            cursor = self._database[collection].find(query).sort(list(sort)).limit(limit)
            found: list[Document] = await cursor.to_list(limit)
            return found

    @property
    def in_use(self) -> int:
        """Connections of the pool that are busy."""
        return self._in_use.count

    async def empty(self) -> None:
        """Drop the whole database."""
        await self._client.drop_database(self._database)

    async def ping(self) -> None:
        """Ask for a sign of life, past the breaker: this is how a return is noticed.

        Raises:
            DependencyUnavailable: none came.
        """
        with self.breaker.probe():
            await self._client.admin.command("ping")


class _InUse(ConnectionPoolListener):
    """Counts connections that are checked out; the driver tells, it does not answer."""

    def __init__(self) -> None:
        self.count = 0

    def connection_checked_out(self, _: object) -> None:
        self.count += 1

    def connection_checked_in(self, _: object) -> None:
        self.count -= 1

    def pool_created(self, _: object) -> None: ...
    def pool_ready(self, _: object) -> None: ...
    def pool_cleared(self, _: object) -> None: ...
    def pool_closed(self, _: object) -> None: ...
    def connection_created(self, _: object) -> None: ...
    def connection_ready(self, _: object) -> None: ...
    def connection_closed(self, _: object) -> None: ...
    def connection_check_out_started(self, _: object) -> None: ...
    def connection_check_out_failed(self, _: object) -> None: ...


def _client(url: str, settings: MongoSettings, listener: ConnectionPoolListener) -> Any:
    timeout_ms = int(settings.timeout_seconds * 1000)
    make: Any = AsyncIOMotorClient if settings.driver == "motor" else AsyncMongoClient
    return make(
        url,
        maxPoolSize=settings.pool_size,
        # For the whole operation: waiting for a server and a connection, and repetitions.
        timeoutMS=timeout_ms,
        serverSelectionTimeoutMS=timeout_ms,
        connectTimeoutMS=timeout_ms,
        w="majority",
        journal=True,
        tz_aware=True,
        event_listeners=[listener],
    )
