"""The bundled stores: they keep what they acknowledged and leave nothing running."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from state import embedded, ownership, processes
from state.embedded import DataDirBusy, EmbeddedDocuments, EmbeddedValkey, StoreStartError
from tests.contract.stores_kit import SLEEP, Events, kill, program, running

ROOT = Path(__file__).parents[2]
WRITES = 200
Store = EmbeddedValkey | EmbeddedDocuments
BOTH = pytest.mark.parametrize("kind", [EmbeddedValkey, EmbeddedDocuments])

SERVER = """
import asyncio, sys
from pathlib import Path
from state.embedded import EmbeddedDocuments, EmbeddedValkey

async def main(data):
    async with EmbeddedValkey(data) as valkey, EmbeddedDocuments(data) as documents:
        print(valkey.pid, documents.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def events() -> Events:
    return Events()


@asynccontextmanager
async def keys_of(store: EmbeddedValkey) -> AsyncIterator[Redis]:
    client = Redis.from_url(store.url, decode_responses=True)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def documents_of(store: EmbeddedDocuments) -> AsyncIterator[Any]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(store.url)
    try:
        yield client.kept.things
    finally:
        await client.close()


async def write(store: Store) -> None:
    """Write one thing after the other, each acknowledged before the next is sent."""
    if isinstance(store, EmbeddedValkey):
        async with keys_of(store) as keys:
            for number in range(WRITES):
                await keys.set(f"key:{number}", number)
    else:
        async with documents_of(store) as things:
            for number in range(WRITES):
                await things.insert_one({"_id": number})


async def missing(store: Store) -> list[int]:
    """The numbers that were acknowledged and are not there."""
    if isinstance(store, EmbeddedValkey):
        async with keys_of(store) as keys:
            found = {int(value) for value in await keys.mget(names()) if value is not None}
    else:
        async with documents_of(store) as things:
            found = {thing["_id"] async for thing in things.find()}
    return [number for number in range(WRITES) if number not in found]


def names() -> list[str]:
    return [f"key:{number}" for number in range(WRITES)]


def socket_of(store: EmbeddedValkey) -> Path:
    return Path(unquote(store.url.removeprefix("unix://")))


async def gone(pid: int) -> None:
    """Wait for the end of a process that is not our child, so that nothing tells us of it."""
    async with asyncio.timeout(5):
        while ownership.describe(pid):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_valkey_listens_on_a_private_socket_only(tmp_path):
    async with EmbeddedValkey(tmp_path) as store, keys_of(store) as keys:
        assert await keys.ping()
        config = await keys.config_get("port", "appendonly", "appendfsync", "maxmemory-policy")
        mode = socket_of(store).stat().st_mode
    assert config == {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
    }
    assert stat.S_IMODE(mode) == 0o700


async def test_the_price_of_durability_can_be_chosen(tmp_path):
    async with EmbeddedValkey(tmp_path, fsync="everysec") as store, keys_of(store) as keys:
        assert await keys.config_get("appendfsync") == {"appendfsync": "everysec"}


async def test_documents_have_transactions(tmp_path):
    async with EmbeddedDocuments(tmp_path) as store, documents_of(store) as things:
        async with things.database.client.start_session() as session:
            async with await session.start_transaction():
                await things.insert_one({"_id": "kept"}, session=session)
            await session.start_transaction()
            await things.insert_one({"_id": "dropped"}, session=session)
            await session.abort_transaction()
        assert [thing["_id"] async for thing in things.find()] == ["kept"]


@BOTH
async def test_what_was_acknowledged_survives_a_stop(kind, tmp_path):
    async with kind(tmp_path) as store:
        await write(store)
    async with kind(tmp_path) as store:
        assert await missing(store) == []


@pytest.mark.chaos
@BOTH
async def test_what_was_acknowledged_survives_the_kill_of_a_store(kind, tmp_path, events):
    async with kind(tmp_path, on_event=events) as store:
        url = store.url
        await write(store)
        killed = kill(store)
        await events.until("store_restarted")
        assert store.pid != killed
        assert store.url == url
        assert await missing(store) == []
    assert events.names() == ["store_started", "store_died", "store_restarted", "store_stopped"]


@pytest.mark.chaos
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
async def test_the_stores_of_a_killed_server_end_soon(tmp_path):
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER, str(tmp_path)), stdout=subprocess.PIPE, cwd=ROOT
    )
    assert server.stdout is not None
    stores = [int(pid) for pid in (await server.stdout.readline()).split()]
    server.kill()
    await server.wait()
    assert len(stores) == 2
    for pid in stores:
        await gone(pid)


@pytest.mark.chaos
@BOTH
async def test_an_orphan_is_ended_and_its_data_taken_over(kind, tmp_path, events):
    async with kind(tmp_path) as store:
        await write(store)
        command = store.command()
        directory = store.directory
    with running(command) as left:
        ownership.record(directory, left.pid)
        async with kind(tmp_path, on_event=events) as store:
            assert await missing(store) == []
        assert left.wait(0) is not None
    assert events.seen[0] == ("store_orphan_ended", {"store": kind.name, "pid": left.pid})


async def test_a_process_with_the_id_of_an_orphan_is_left_alone(tmp_path, events):
    directory = tmp_path / "valkey"
    directory.mkdir()
    with running(program(SLEEP, "no", "store")) as stranger:
        ownership.record(directory, stranger.pid)
        async with EmbeddedValkey(tmp_path, on_event=events):
            assert stranger.poll() is None
    assert events.names() == ["store_started", "store_stopped"]


@BOTH
async def test_a_second_server_on_the_same_directory_is_told_so(kind, tmp_path):
    async with kind(tmp_path) as store:
        with pytest.raises(DataDirBusy, match=rf"{tmp_path} is in use .*process {os.getpid()}"):
            await kind(tmp_path).__aenter__()
        await write(store)
        assert await missing(store) == []


async def test_files_in_the_hands_of_an_unknown_process_are_not_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "STOP_PATIENCE", 0.1)
    directory = tmp_path / "valkey"
    directory.mkdir()
    held = ownership.lock_for_store(directory, 0)
    with pytest.raises(StoreStartError, match="still holds the files"):
        await EmbeddedValkey(tmp_path).__aenter__()
    os.close(held)
    async with EmbeddedValkey(tmp_path):
        pass


@BOTH
async def test_a_stop_leaves_nothing_behind(kind, tmp_path):
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    async with kind(tmp_path) as store:
        pid, directory = store.pid, store.directory
    assert store.pid is None
    assert ownership.describe(pid) is None
    assert not (directory / ownership.PID_FILE).exists()
    assert asyncio.all_tasks() == tasks
    # The loop keeps its pool of threads; the one that read the output is gone.
    assert kind.name not in {thread.name for thread in set(threading.enumerate()) - threads}


async def test_a_data_directory_may_have_any_name(tmp_path):
    odd = tmp_path / "with space, ü, 100 % and ?#"
    async with EmbeddedValkey(odd) as store, keys_of(store) as keys:
        assert await keys.ping()


async def test_a_path_too_long_for_a_socket_is_no_obstacle(tmp_path):
    deep = tmp_path / ("d" * 120)
    async with EmbeddedValkey(deep) as store:
        await write(store)
        place = socket_of(store).parent
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert not place.exists()
    async with EmbeddedValkey(deep) as store:
        assert await missing(store) == []


async def test_a_store_that_cannot_start_names_its_log(tmp_path):
    directory = tmp_path / "valkey"
    directory.mkdir()
    (directory / "appendonlydir").write_text("not a directory")
    log = directory / "valkey.log"
    with pytest.raises(StoreStartError, match=f"valkey ended at once with code 1; see {log}"):
        await EmbeddedValkey(tmp_path).__aenter__()
    assert "appendonlydir" in log.read_text()


async def test_the_port_stays_until_somebody_else_has_it(tmp_path):
    async with EmbeddedDocuments(tmp_path) as store:
        first = store.url
        await write(store)
    async with EmbeddedDocuments(tmp_path) as store:
        assert store.url == first
    port = int((tmp_path / "documents" / "port").read_text())
    with socket.create_server(("127.0.0.1", port)):
        async with EmbeddedDocuments(tmp_path) as store:
            assert store.url != first
            assert await missing(store) == []


async def test_a_port_lost_between_choice_and_use_is_chosen_again(tmp_path):
    class Unlucky(EmbeddedDocuments):
        thief: socket.socket | None = None

        def command(self) -> Sequence[str]:
            if self.thief is None:
                self.thief = socket.create_server(("127.0.0.1", self._port))
            return super().command()

    async with Unlucky(tmp_path) as store:
        assert store.thief is not None
        assert str(store.thief.getsockname()[1]) not in store.url
        await write(store)
        store.thief.close()


def test_a_directory_stays_with_the_engine_that_made_it(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "mongod"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    fresh, used = tmp_path / "fresh", tmp_path / "used"
    (used / "secantus").mkdir(parents=True)
    assert embedded._choose_engine(fresh) == (embedded._MONGOD, str(program))
    assert embedded._choose_engine(used)[0] is embedded._SECANTUS
    program.unlink()
    (fresh / "mongod").mkdir(parents=True)
    with pytest.raises(StoreStartError, match=r"\(mongod\) is installed here"):
        embedded._choose_engine(fresh)


def test_a_platform_without_a_bundled_store_is_told_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    with pytest.raises(StoreStartError, match="set SHOWDOWN_REDIS_URL"):
        embedded._valkey_binary()
    with pytest.raises(StoreStartError, match="set SHOWDOWN_MONGO_URL"):
        embedded._choose_engine(tmp_path)
    for name in ("valkey-server", "secantusd-rs"):
        (tmp_path / name).touch(mode=0o755)
    assert embedded._valkey_binary() == str(tmp_path / "valkey-server")
    assert embedded._choose_engine(tmp_path) == (embedded._SECANTUS, str(tmp_path / "secantusd-rs"))
