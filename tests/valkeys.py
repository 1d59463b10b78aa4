"""Groups of bundled Valkeys for tests: a cluster, and a primary with replicas and sentinels."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from state.cluster import SLOTS
from state.embedded import _valkey_binary
from state.line import Argument, connect

NODE_TIMEOUT_MS = 1_000  # then a cluster's node is taken for dead
DOWN_MS = 700  # the same for a sentinel
PATIENCE = 30.0
POLL = 0.05


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now. They and the cluster's bus, 10,000 above, are below those that
    the kernel gives to outgoing connections, which could take one before its store starts.
    """
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        for port in range(11_000 + os.getpid() % 1_000 * 10, 22_700):
            probe = stack.enter_context(socket.socket())
            bus = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                bus.bind(("127.0.0.1", port + 10_000))
                found.append(port)
            if len(found) == count:
                return found
    raise AssertionError("no free ports")


class Valkey:
    """One process of the bundled program."""

    def __init__(self, folder: Path, port: int, *options: str, sentinel: bool = False) -> None:
        self.port = port
        self._folder = folder / str(port)
        self._options = options
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with its files if it has run before."""
        self._folder.mkdir(exist_ok=True)
        config = self._folder / "own.conf"
        config.touch()  # a sentinel wants one that it may write
        said = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        how = ["--sentinel"] if self._sentinel else []
        command = [_valkey_binary(), str(config), *said, *self._options, *how]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process
        return self._process.pid

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still, and its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    async def ask(self, *command: Argument) -> Any:
        """The answer to a command, over a connection of its own."""
        line = await connect(f"redis://127.0.0.1:{self.port}", 5, 10)
        try:
            return await line.send(*command)
        finally:
            line.hang_up()

    async def info(self, name: str, section: str = "replication") -> str:
        """A field of INFO."""
        text = await self.ask("INFO", section)
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        return str(fields[name])

    async def is_up(self) -> bool:
        """Whether it answers."""
        return bool(await self.ask("PING") == "PONG")


async def until(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until the answer is true; whoever is away says no."""
    answer: Any = None
    async with asyncio.timeout(PATIENCE):
        while not answer:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                answer = await ask()
            if not answer:
                await asyncio.sleep(POLL)
    return answer


@asynccontextmanager
async def running(valkeys: Sequence[Valkey]) -> AsyncIterator[None]:
    """Started, for the length of a block."""
    async with AsyncExitStack() as stack:
        for one in valkeys:
            stack.callback(one.kill)
            one.start()
        for one in valkeys:
            await until(one.is_up)
        yield


class Group:
    """Stores with a URL: `primaries` to write to, and their `replicas`."""

    def __init__(
        self,
        url: str,
        primaries: list[Valkey],
        replicas: list[Valkey],
        sentinels: Sequence[Valkey] = (),
    ) -> None:
        self.url = url
        self.primaries = primaries  # at the start
        self.replicas = replicas
        self.sentinels = sentinels

    async def owner(self, slot: int) -> Valkey:
        """Who has a cluster's slot, as any living node says."""
        for node in self._all:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                for first, last, owner, *_ in await node.ask("CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return self.at(owner[1])
        raise AssertionError("nobody")

    async def primary(self) -> Valkey:
        """The only one that may be written to."""
        return (await self.living_primaries())[0]

    async def promoted(self, instead_of: Valkey) -> None:
        """Wait until there are as many primaries as before, without a dead one."""

        async def are_all() -> bool:
            living = await self.living_primaries()
            return instead_of not in living and len(living) == len(self.primaries)

        await until(are_all)

    async def whole(self) -> None:
        """Wait until every store is a primary with replicas, or a replica of one, and every
        replica has what its primary had then: one that was only just synchronized says
        `connected` up to a second before it is sent what was written since.
        """
        for one in self._all:
            await until(partial(_is_sound, one))
        for one in await self.living_primaries():
            _, offset, _ = await one.ask("ROLE")
            await until(partial(_has_told_all, one, offset))

    def at(self, port: int) -> Valkey:
        """The store at a port."""
        return next(one for one in self._all if one.port == port)

    @property
    def _all(self) -> list[Valkey]:
        return [*self.primaries, *self.replicas]

    async def living_primaries(self) -> list[Valkey]:
        """Those that answer, and say so."""
        found = []
        for one in self._all:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                if await one.info("role") == "master":
                    found.append(one)
        return found


async def _has_told_all(primary: Valkey, offset: int) -> bool:
    """Whether its replicas say that they have what it had at an offset."""
    _, _, replicas = await primary.ask("ROLE")
    return bool(replicas) and all(int(one[2]) >= offset for one in replicas)


async def _is_sound(one: Valkey) -> bool:
    role = await one.ask("ROLE")
    return bool(role[2]) if role[0] == "master" else role[3] == "connected"


@asynccontextmanager
async def a_cluster_of_one(folder: Path) -> AsyncIterator[str]:
    """The URL of a node that has all slots."""
    (port,) = free_ports(1)
    node = Valkey(folder, port, "--cluster-enabled", "yes", "--save", "")
    async with running([node]):
        await node.ask("CLUSTER", "ADDSLOTSRANGE", *share(0, 1))
        await until(partial(_is_whole, node, 1))
        yield f"redis+cluster://127.0.0.1:{port}"


@asynccontextmanager
async def a_cluster(folder: Path, size: int = 3) -> AsyncIterator[Group]:
    """Primaries, each with a replica, that share the slots."""
    options = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)]
    options += ["--save", "", "--appendonly", "yes", "--repl-diskless-sync-delay", "0"]
    nodes = [Valkey(folder, port, *options) for port in free_ports(2 * size)]
    primaries, replicas = nodes[:size], nodes[size:]
    async with running(nodes):
        for n, one in enumerate(primaries):
            await one.ask("CLUSTER", "ADDSLOTSRANGE", *share(n, size))
            await one.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        for one in nodes[1:]:
            await one.ask("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        ids = [await one.ask("CLUSTER", "MYID") for one in primaries]
        for replica, primary in zip(replicas, ids, strict=True):
            await until(partial(_replicates, replica, primary))
        for one in nodes:
            await until(partial(_is_whole, one, len(nodes)))
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in nodes[:2])
        yield Group(f"redis+cluster://{hosts}", primaries, replicas)


def share(n: int, size: int) -> tuple[int, int]:
    """The first and the last slot of a primary."""
    return n * SLOTS // size, (n + 1) * SLOTS // size - 1


async def _replicates(replica: Valkey, primary: str) -> bool:
    return bool(await replica.ask("CLUSTER", "REPLICATE", primary) == "OK")


async def _is_whole(node: Valkey, count: int) -> bool:
    info = await node.ask("CLUSTER", "INFO")
    nodes = await node.ask("CLUSTER", "NODES")
    met = f"cluster_known_nodes:{count}" in info and "handshake" not in nodes
    return met and "cluster_state:ok" in info and (count == 1 or await _is_sound(node))


@asynccontextmanager
async def under_sentinels(folder: Path, service: str = "showdown") -> AsyncIterator[Group]:
    """A primary, two replicas, three sentinels."""
    ports = free_ports(6)
    files = ("--save", "", "--appendonly", "yes", "--repl-diskless-sync-delay", "0")
    primary = Valkey(folder, ports[0], *files)
    follow = ("--replicaof", "127.0.0.1", str(primary.port))
    replicas = [Valkey(folder, port, *files, *follow) for port in ports[1:3]]
    sentinels = [Valkey(folder, port, sentinel=True) for port in ports[3:]]
    async with running([primary, *replicas, *sentinels]):
        for one in replicas:
            await until(partial(_is_linked, one))
        for one in sentinels:
            await one.ask("SENTINEL", "MONITOR", service, "127.0.0.1", primary.port, 2)
            await one.ask("SENTINEL", "SET", service, "down-after-milliseconds", DOWN_MS)
            await one.ask("SENTINEL", "SET", service, "failover-timeout", 3_000)
        for one in sentinels:
            await until(partial(_knows_all, one, service))
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in sentinels)
        yield Group(f"redis+sentinel://{hosts}/{service}/0", [primary], replicas, sentinels)


async def _is_linked(replica: Valkey) -> bool:
    return await replica.info("master_link_status") == "up"


async def _knows_all(sentinel: Valkey, service: str) -> bool:
    others = await sentinel.ask("SENTINEL", "SENTINELS", service)
    replicas = await sentinel.ask("SENTINEL", "REPLICAS", service)
    return len(others) == 2 and len(replicas) == 2
