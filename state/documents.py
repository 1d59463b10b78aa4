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
from functools import partial
from typing import Any, Self, TypeVar

from pymongo.errors import (
    CollectionInvalid,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    PyMongoError,
    WTimeoutError,
)

from config.sections import Mongo as MongoSettings
from game.errors import DependencyUnavailable, StaleVersion
from state.breaker import Breaker, Observer
from state.copies import Copies
from state.mongo import connect

# What means "the store is away", not "the call was wrong". ConnectionFailure covers
# server selection, the network and the wait for a pooled connection; TimeoutError is ours.
AWAY = (ConnectionFailure, ExecutionTimeout, WTimeoutError, TimeoutError)

Document = dict[str, Any]

SLACK = 0.5  # seconds behind the driver's own time-out, which says more
TRANSACTION_SECONDS = 6.0  # of trying again, below a handler's time-out
EACH = 1_000  # documents in a batch; the default is 16 MB, ten times that in Python
FEWER = 10  # by which a change of many goes on when it has met another transaction
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
        # The driver's time-out begins when motor has a thread for the call, and it has few: when
        # they all wait for documents that others have locked, nobody would bound the queue.
        self._patience = settings.timeout_seconds + SLACK
        self._ending: set[asyncio.Task[None]] = set()
        self._client, self._in_use = connect(url, settings)
        self._database = self._client[settings.database]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ending:  # what is not given up keeps its locks for a minute
            await asyncio.wait(self._ending, timeout=self._patience)
        closing = self._client.close()
        if not self._motor:
            await closing

    async def call(self, collection: str, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of a collection that answers once: `find_one`, `update_one`, ….

        Raises:
            DependencyUnavailable: MongoDB did not answer; a write may have happened.
        """
        with self.breaker.guard(f"{collection}.{method}"):
            async with asyncio.timeout(self._patience):
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
            async with asyncio.timeout(self._patience):
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

    async def update_all(self, collection: str, query: Document, update: Document) -> int:
        """Update all documents that match, `EACH` at a time or fewer; returns how many.

        Never by `update_many` alone: while it waits for a document that a transaction has
        written, SecantusDB keeps the collection locked, to that transaction too, and with it
        all writes of all clients, for ever. In a transaction it does not wait.

        Raises:
            StaleVersion: others changed them all the time.
            DependencyUnavailable: MongoDB did not answer; some may be updated.
        """
        return await self._many(collection, "update_many", query, update)

    async def delete_all(self, collection: str, query: Document) -> int:
        """Delete all documents that match; otherwise as `update_all`, and for the same reason."""
        return await self._many(collection, "delete_many", query)

    async def _many(self, collection: str, method: str, query: Document, *how: Any) -> int:
        count, rest, size = 0, query, EACH
        while True:
            step = partial(
                _some, collection=collection, method=method, query=rest, how=how, size=size
            )
            try:  # one alone is tried for as long as any other transaction
                ids = await (self._try(step) if size > 1 else self.transaction(step))
            except _AgainError:
                size = max(1, size // FEWER)
                continue
            count += len(ids)
            if len(ids) < size:
                return count
            rest = {"$and": [query, {"_id": {"$gt": ids[-1]}}]}
            size = min(EACH, 2 * size)

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
        async with self._begun(self.breaker) as tx:
            try:
                result = await work(tx)
            except PyMongoError as error:
                # A duplicate was inserted by somebody who was faster: now it will be seen.
                if _was_ended(error) or isinstance(error, DuplicateKeyError):
                    raise _AgainError from error
                raise
            await self._commit(tx)
            return result

    async def _commit(self, tx: Transaction) -> None:
        for left in reversed(range(COMMITS)):
            first = left == COMMITS - 1
            try:
                await tx.commit()
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
    async def _begun(self, breaker: Breaker) -> AsyncIterator[Transaction]:
        with breaker.guard("session"):
            begun = self._client.start_session()
            session = await begun if self._motor else begun
        tx = Transaction(breaker, self._database, session, self.copies, self._patience)
        try:
            started = session.start_transaction()
            if not self._motor:
                await started
            yield tx
        finally:  # whatever is not committed is given up, also when the caller is cancelled
            ending = asyncio.create_task(tx.end())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            await asyncio.shield(ending)

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
        """Drop the whole database.

        Transactions are ended first: SecantusDB does with them as in `update_all`.
        """
        await self.free_locks()
        await self._client.drop_database(self._database)

    async def ping(self) -> None:
        """Begin and end a transaction, past the breaker: this is how a return is noticed.

        A store whose writes stand still may answer a `ping`, and reads.

        Raises:
            DependencyUnavailable: it did not get through.
        """
        past = Breaker("mongo", ())
        with self.breaker.probe():
            async with asyncio.timeout(self._patience), self._begun(past) as tx:
                await tx.call("migrations", "find_one", {"_id": "lease"})


class Transaction:
    """What `DocumentStore.transaction` gives to its work; the calls see their own writes.

    A call that was begun is not cut when its caller is cancelled: the store may carry it out
    after it has given the transaction up, and then nobody ends what it began.
    """

    def __init__(
        self,
        breaker: Breaker,
        database: Any,
        session: Any,
        copies: Copies | None,
        patience: float,
    ) -> None:
        self._breaker = breaker
        self._database = database
        self._session = session
        self._copies = copies
        self._patience = patience
        self._running: asyncio.Future[Any] | None = None

    async def spoil(self, copy: str) -> None:
        """Say, before its original is changed, that a copy in Redis is not to be believed.

        Raises:
            DependencyUnavailable: Redis did not answer.
        """
        if self._copies:
            await self._copies.spoil(copy)

    async def call(self, collection: str, method: str, *args: Any, **options: Any) -> Any:
        """As `DocumentStore.call`, within the transaction."""
        bound = getattr(self._database[collection], method)
        asked = partial(bound, *args, session=self._session, **options)
        return await self._ask(f"{collection}.{method}", asked)

    async def each(self, collection: str, query: Mapping[str, Any]) -> AsyncIterator[Document]:
        """All documents in any order, a batch at a time."""
        with self._breaker.guard(f"{collection}.find"):
            found = self._database[collection].find(query, session=self._session, batch_size=EACH)
            async for document in found:
                yield document

    async def ids(self, collection: str, query: Document, size: int) -> list[Any]:
        """The first ids of documents that match."""
        found = self._database[collection].find(query, {"_id": 1}, session=self._session)
        asked = partial(found.sort([("_id", 1)]).limit(size).to_list, size)
        return [one["_id"] for one in await self._ask(f"{collection}.find", asked)]

    async def commit(self) -> None:
        """Carry it out."""
        await self._ask("commit", self._session.commit_transaction)

    async def end(self) -> None:
        """Give up what is not committed, after the call that runs."""
        if self._running is not None and not self._running.done():
            await asyncio.wait([self._running], timeout=self._patience)
        await self._session.end_session()

    async def _ask(self, operation: str, asked: Callable[[], Awaitable[Any]]) -> Any:
        with self._breaker.guard(operation):
            self._running = running = asyncio.ensure_future(asked())
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(running)


async def _some(
    tx: Transaction, collection: str, method: str, query: Document, how: Sequence[Any], size: int
) -> list[Any]:
    """Do it to the first documents that match; returns their ids."""
    ids = await tx.ids(collection, query, size)
    if ids:
        await tx.call(collection, method, {"_id": {"$in": ids}}, *how)
    return ids


def _was_ended(error: PyMongoError) -> bool:
    """Whether the store gave a transaction up, and nothing of it was written.

    Killed sessions have no label: MongoDB says Interrupted, SecantusDB an internal error.
    """
    code = getattr(error, "code", None)
    closed = code == INTERNAL_ERROR and "transaction already closed" in str(error)
    return error.has_error_label(TRANSIENT) or code in ENDED or closed


class _AgainError(Exception):
    """The transaction met another one; nothing of it was written."""
