"""How a client of MongoDB is made, with either driver, and what its pool tells."""

from __future__ import annotations

from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.monitoring import ConnectionPoolListener

from config.sections import Mongo as MongoSettings


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


def connect(url: str, settings: MongoSettings) -> tuple[Any, _InUse]:
    """A client that has not connected yet, and the count of its busy connections."""
    in_use = _InUse()
    timeout_ms = int(settings.timeout_seconds * 1000)
    make: Any = AsyncIOMotorClient if settings.driver == "motor" else AsyncMongoClient
    client = make(
        url,
        maxPoolSize=settings.pool_size,
        # For the whole operation: waiting for a server and a connection, and repetitions.
        timeoutMS=timeout_ms,
        serverSelectionTimeoutMS=timeout_ms,
        connectTimeoutMS=timeout_ms,
        w="majority",
        journal=True,
        tz_aware=True,
        event_listeners=[in_use],
    )
    return client, in_use
