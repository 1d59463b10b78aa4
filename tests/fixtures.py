"""Real stores for contract tests: started once a session, emptied before each test."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from config.sections import Mongo, Redis
from state.connect import RedisStore
from state.documents import DocumentStore
from state.embedded import EmbeddedDocuments, EmbeddedValkey
from tests.harness import ADMIN, ADMIN_PASSWORD, SECRET, Server, Table, serving
from tests.valkeys import a_cluster_of_one


class Stores:
    """The bundled stores, owned by a loop in a thread of its own, so that each test's
    loop can come and go.
    """

    def __init__(self, data_dir: Path) -> None:
        self.redis_url = ""
        self.mongo_url = ""
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self._start(data_dir))

    async def _start(self, data_dir: Path) -> None:
        documents = await self._stack.enter_async_context(EmbeddedDocuments(data_dir))
        self.mongo_url = documents.url
        if os.environ.get("TEST_CLUSTER"):  # refuses keys of two slots in one step
            self.redis_url = await self._stack.enter_async_context(a_cluster_of_one(data_dir))
        else:
            valkey = await self._stack.enter_async_context(EmbeddedValkey(data_dir))
            self.redis_url = valkey.url

    def stop(self) -> None:
        """End both stores and the loop."""
        self._run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, coroutine: object) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Both stores, for the whole session."""
    running = Stores(tmp_path_factory.mktemp("stores"))
    yield running
    running.stop()


@pytest.fixture
async def redis(stores: Stores) -> AsyncIterator[RedisStore]:
    """An empty Redis."""
    async with RedisStore(stores.redis_url, Redis()) as store:
        await store.call("FLUSHALL")
        yield store


@pytest.fixture(params=["motor", "pymongo"])
async def documents(stores: Stores, request: pytest.FixtureRequest) -> AsyncIterator[DocumentStore]:
    """An empty database, once with each driver."""
    # Patient, since a machine that runs tests may be busy with others.
    settings = Mongo(driver=request.param, database=f"test_{request.param}", timeout_seconds=15)
    async with DocumentStore(stores.mongo_url, settings) as store:
        await store.empty()
        yield store


def on(stores: Stores, **settings: object) -> dict[str, object]:
    """Settings of a server on the session's stores, generous where a test is not about it."""
    return {
        "REDIS_URL": stores.redis_url,
        "MONGO_URL": stores.mongo_url,
        "MONGO__DATABASE": "test_server",
        "HOST": "127.0.0.1",
        "AUTH__SECRET": SECRET,
        "ADMIN__USERNAME": ADMIN,
        "ADMIN__PASSWORD": ADMIN_PASSWORD,
        "MONGO__TIMEOUT_SECONDS": 10,
        "LIMITS__AUTH_PER_MINUTE": 10_000,
        "LIMITS__CONNECTIONS_PER_ADDRESS": 5_000,
        "SHUTDOWN__GRACE_SECONDS": 0.1,
        **settings,
    }


@pytest.fixture
async def table() -> AsyncIterator[Table]:
    """Makes players, and takes them away."""
    table = Table()
    yield table
    await table.close()


@pytest.fixture
async def emptied(stores: Stores) -> Stores:
    """The stores, emptied, for a server of the test's own."""
    async with RedisStore(stores.redis_url, Redis()) as redis:
        await redis.call("FLUSHALL")
    async with DocumentStore(
        stores.mongo_url, Mongo(database="test_server", timeout_seconds=15)
    ) as documents:
        await documents.free_locks()  # of servers that an earlier test killed
        await documents.empty()
    return stores


@pytest.fixture
async def server(emptied: Stores) -> AsyncIterator[Server]:
    """One server on empty stores."""
    async with serving(**on(emptied)) as running:
        yield running


@pytest.fixture
async def two_servers(emptied: Stores) -> AsyncIterator[tuple[Server, Server]]:
    """Two servers on the same empty stores."""
    async with serving(**on(emptied)) as one, serving(**on(emptied)) as other:
        yield one, other
