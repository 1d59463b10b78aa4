"""MongoDB: one client, one breaker, and every difference between the two drivers.

motor is what this project was asked to use and is past its end of life; its successor
is pymongo's own asynchronous client. Both are behind `SHOWDOWN_MONGO__DRIVER`, and the
contract tests run on both.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self, TypeVar

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.errors import (
    CollectionInvalid,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    PyMongoError,
    WTimeoutError,
)
from pymongo.monitoring import ConnectionPoolListener

from config.sections import Mongo as MongoSettings
from game.errors import DependencyUnavailable, StaleVersion
from state.breaker import Breaker, Observer
from state.copies import Copies

# What means "the store is away", not "the call was wrong". ConnectionFailure covers
# server selection, the network and the wait for a pooled connection.
AWAY = (ConnectionFailure, ExecutionTimeout, WTimeoutError)

Document = dict[str, Any]

TRANSACTION_SECONDS = 6.0  # of trying again, below a handler's time-out
EACH = 1_000  # documents in a batch; the default is 16 MB, ten times that in Python
ENDED = frozenset({251, 11601})  # NoSuchTransaction, Interrupted
INTERNAL_ERROR = 1
COMMITS = 3  # a commit may be sent again: it is the same transaction
FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.1  # between tries; a transaction takes some 2 ms
TRANSIENT, UNKNOWN = "TransientTransactionError", "UnknownTransactionCommitResult"

T = TypeVar("T")


class DocumentStore:
    """A database whose calls all go through one breaker, and what Redis keeps a copy of."""

    def __init__(
        self,
        url: str,
        settings: MongoSettings,
        observe: Observer | None = None,
        copies: Copies | None = None,
    ) -> None:
        self.copies = copies
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

    async def each(
        self, collection: str, query: Mapping[str, Any], *, sort: Sequence[tuple[str, int]]
    ) -> AsyncIterator[Document]:
        """All documents in that order, a batch at a time.

        Raises:
            DependencyUnavailable: MongoDB did not answer.
        """
        with self.breaker.guard(f"{collection}.find"):
            found = self._database[collection].find(query, batch_size=EACH)
            async for document in found.sort(list(sort)):
                yield document

    async def update_guarded(self, collection: str, guard: Document, fields: Document) -> bool:
        """Set fields of the document that has the guard's `_id`, if it has its other fields too.

        A read and a write by `_id` in one transaction: SecantusDB answers a guarded update
        with a scan of the collection, whatever hint it is given.

        Returns:
            whether there was such a document.

        Raises:
            StaleVersion: others changed it all the time.
            DependencyUnavailable: MongoDB did not answer; the write may have happened.
        """
        which = {"_id": guard["_id"]}

        async def attempt(tx: Transaction) -> bool:
            found = await tx.call(collection, "find_one", which)
            if found is None or any(found.get(name) != guard[name] for name in guard):
                return False
            await tx.call(collection, "update_one", which, {"$set": fields}, hint="_id_")
            return True

        return await self.transaction(attempt)

    async def transaction(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Do some reads and writes as one step, all of them or none.

        `work` is called again, from its start, when somebody else changed what it reads
        or writes; so it must have no other effects. An error that it raises ends it
        with nothing written.

        Raises:
            StaleVersion: others were faster all the time.
            DependencyUnavailable: MongoDB did not answer; the step may have happened.
        """
        deadline = asyncio.get_running_loop().time() + TRANSACTION_SECONDS
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._try(work)
            except _AgainError:
                if asyncio.get_running_loop().time() > deadline:
                    raise StaleVersion from None
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - spreads retries
            pause = min(LONGEST_PAUSE, 2 * pause)

    async def _try(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._session() as session:
            begun = session.start_transaction()
            if not self._motor:
                await begun
            try:
                result = await work(Transaction(self.breaker, self._database, session, self.copies))
            except PyMongoError as error:
                # A duplicate was inserted by somebody who was faster: now it will be seen.
                if _was_ended(error) or isinstance(error, DuplicateKeyError):
                    raise _AgainError from error
                raise
            await self._commit(session)
            return result

    async def _commit(self, session: Any) -> None:
        for left in reversed(range(COMMITS)):
            first = left == COMMITS - 1
            try:
                with self.breaker.guard("commit"):
                    await session.commit_transaction()
                return  # noqa: TRY300 - the loop is for what did not come here
            except PyMongoError as error:
                # Of one that was sent before, an end may mean that it was carried out.
                if error.has_error_label(TRANSIENT) or (first and _was_ended(error)):
                    raise _AgainError from error
                if _was_ended(error):
                    raise DependencyUnavailable from error
                if not left or not error.has_error_label(UNKNOWN):
                    raise
            except DependencyUnavailable:
                if not left:
                    raise

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Any]:
        with self.breaker.guard("session"):
            begun = self._client.start_session()
            session = await begun if self._motor else begun
        try:
            yield session
        finally:  # whatever is not committed is given up, also when the caller is cancelled
            await asyncio.shield(session.end_session())

    @property
    def in_use(self) -> int:
        """Connections of the pool that are busy."""
        return self._in_use.count

    async def make(self, collection: str) -> None:
        """Make a collection, unless it is there.

        Raises:
            DependencyUnavailable: MongoDB did not answer.
        """
        with self.breaker.guard(f"{collection}.create"), suppress(CollectionInvalid):
            await self._database.create_collection(collection)

    async def free_locks(self) -> None:
        """End all transactions of our user that run now.

        One whose process was killed locks what it wrote for a minute (MongoDB's and
        SecantusDB's limit). Those that are alive are tried again by `transaction`.

        Raises:
            DependencyUnavailable: MongoDB did not answer.
        """
        with self.breaker.guard("free_locks"):
            await self._client.admin.command("killAllSessions", [])

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


class Transaction:
    """What `DocumentStore.transaction` gives to its work; the calls see their own writes."""

    def __init__(
        self, breaker: Breaker, database: Any, session: Any, copies: Copies | None
    ) -> None:
        self._breaker = breaker
        self._database = database
        self._session = session
        self._copies = copies

    async def spoil(self, copy: str) -> None:
        """Say, before its original is changed, that a copy in Redis is not to be believed.

        Raises:
            DependencyUnavailable: Redis did not answer.
        """
        if self._copies:
            await self._copies.spoil(copy)

    async def call(self, collection: str, method: str, *args: Any, **options: Any) -> Any:
        """As `DocumentStore.call`, within the transaction."""
        with self._breaker.guard(f"{collection}.{method}"):
            bound = getattr(self._database[collection], method)
            return await bound(*args, session=self._session, **options)

    async def each(self, collection: str, query: Mapping[str, Any]) -> AsyncIterator[Document]:
        """All documents in any order, a batch at a time."""
        with self._breaker.guard(f"{collection}.find"):
            found = self._database[collection].find(query, session=self._session, batch_size=EACH)
            async for document in found:
                yield document


def _was_ended(error: PyMongoError) -> bool:
    """Whether the store gave a transaction up, and nothing of it was written.

    Killed sessions have no label: MongoDB says Interrupted, SecantusDB an internal error.
    """
    code = getattr(error, "code", None)
    closed = code == INTERNAL_ERROR and "transaction already closed" in str(error)
    return error.has_error_label(TRANSIENT) or code in ENDED or closed


class _AgainError(Exception):
    """The transaction met another one; nothing of it was written."""


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
