"""What the chaos tests share: quick settings, stores that are killed or frozen, and patience."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from config.sections import Redis
from state.connect import RedisStore
from tests.fixtures import Stores
from tests.harness import SECRET, Player, Server, Table

# Keys of a living, quiet server that have no TTL.
WEALTH = frozenset({f"{{boards}}:{name}:wealth" for name in ("built", "order", "places")})
LOG = frozenset({"{log}:last", "{log}:epoch", "{log}:store"})
LASTING = frozenset({"{jobs}:epoch", "{live}:nodes"}) | LOG | WEALTH
PATIENCE = 30.0
LEASE = 4.2  # the shortest with these heartbeats and Redis' usual time-out
POLL = 0.05

T = TypeVar("T")


def quick(**settings: object) -> dict[str, object]:
    """Settings of a server that notices everything soon and lets everybody talk."""
    return {
        "AUTH__SECRET": SECRET,
        "NODES__HEARTBEAT_SECONDS": 0.2,
        "SHUTDOWN__GRACE_SECONDS": 0.1,
        "LIMITS__CHAT_MESSAGES": 10_000,
        "LIMITS__CHAT_WINDOW_SECONDS": 1,
        "LIMITS__EVENTS_PER_SECOND": 10_000,
        "LIMITS__EVENTS_BURST": 10_000,
        "LIMITS__AUTH_PER_MINUTE": 10_000,
        "LIMITS__CONNECTIONS_PER_ADDRESS": 5_000,
        **settings,
    }


def on_stores_of(data_dir: Path) -> dict[str, object]:
    """Where the bundled stores of a running server are, for another one to join."""
    port = (data_dir / "documents" / "port").read_text()
    replica_set = "showdown" if (data_dir / "documents" / "mongod").is_dir() else "secantus"
    return {
        "REDIS_URL": f"unix://{data_dir}/valkey/valkey.sock",
        "MONGO_URL": f"mongodb://127.0.0.1:{port}/?replicaSet={replica_set}",
        "HOST": "127.0.0.1",
    }


async def until(
    ask: Callable[[], Awaitable[T]], fits: Callable[[T], object], seconds: float = PATIENCE
) -> T:
    """Ask again and again, until the answer fits."""
    answer = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                answer = await ask()
                if fits(answer):
                    return answer
                await asyncio.sleep(POLL)
    except TimeoutError:
        raise AssertionError(f"In the end it was {answer}") from None


# Processes


def store_pid(data_dir: Path, store: str) -> int:
    """The process that runs a bundled store: `valkey` or `documents`."""
    note = json.loads((data_dir / store / "store.pid").read_text())
    return int(note["pid"])


@contextmanager
def dead(data_dir: Path, store: str) -> Iterator[None]:
    """The store is killed, and cannot start again before the end of the block."""
    os.kill(store_pid(data_dir, store), signal.SIGKILL)
    # A store inherits this lock; its successor waits for it.
    with (data_dir / store / "store.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def frozen(data_dir: Path, store: str) -> Iterator[None]:
    """The store stands still, and its connections stay open."""
    pid = store_pid(data_dir, store)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def processes_with(text: str) -> dict[int, str]:
    """The command lines of the living processes that name `text`, by id; zombies have none."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if text in command:
            found[int(entry.name)] = command
    return found


def children(pid: int) -> list[int]:
    """The processes that a process started, in whichever of its threads."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def ended(*pids: int, seconds: float = PATIENCE) -> None:
    """Wait until none of these runs any more."""

    async def alive() -> list[int]:
        return [pid for pid in pids if is_alive(pid)]

    await until(alive, lambda left: not left, seconds)


@asynccontextmanager
async def started(**settings: object) -> AsyncIterator[Server]:
    """A server that may be dead or restarted by the end of the block."""
    server = Server(**settings)
    try:
        yield await server.start()
    finally:
        if server._process and server._process.returncode is None:
            await server.stop()


@contextmanager
def suspended(server: Server) -> Iterator[None]:
    """The server stands still."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


# What servers say of themselves


class Probe:
    """Asks servers how they are; `http` is short of patience, as a balancer is."""

    def __init__(self, table: Table) -> None:
        self._http = table.http

    async def failing(self, server: Server) -> list[str]:
        """The readiness checks that do not pass."""
        limit = aiohttp.ClientTimeout(total=5)
        async with self._http.get(f"{server.url}/health/ready", timeout=limit) as answer:
            body = await answer.json()
            assert answer.status == (503 if body["failing"] else 200), body
            failing: list[str] = body["failing"]
            return failing

    async def red(self, name: str, *servers: Server, seconds: float = 10.0) -> None:
        """Wait until the servers say that a check does not pass."""
        for server in servers:
            await until(partial(self.failing, server), lambda found: name in found, seconds)

    async def green(self, *servers: Server, seconds: float = 20.0) -> None:
        """Wait until the servers say that they are ready."""
        for server in servers:
            await until(partial(self.failing, server), lambda found: not found, seconds)

    async def gauge(self, server: Server, name: str) -> float:
        """The sum of a metric over its labels."""
        async with self._http.get(f"{server.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        values = [line.rsplit(" ", 1) for line in lines if line.startswith(name)]
        return sum(float(value) for key, value in values if key.partition("{")[0] == name)


def unharmed(*servers: Server) -> None:
    """Nothing unexpected was logged."""
    for server in servers:
        before, trace, after = server.log.partition("Traceback")
        assert not trace, before[-300:] + trace + after[:9_000]


# Players


async def try_to(player: Player, event: str, **fields: Any) -> tuple[str, Any]:
    """('ok', data) or the refusal's code and the error object."""
    answer = await player.ask(event, **fields)
    if answer["ok"]:
        return "ok", answer["data"]
    return answer["error"]["code"], answer["error"]


async def history(player: Player, room: str) -> list[dict[str, Any]]:
    """Everything that was said in a room, the oldest first."""
    said: list[dict[str, Any]] = []
    before: dict[str, str] = {}
    while True:
        page = await player.do("chat:history", room=room, limit=100, **before)
        said = page["messages"] + said
        if page["next_before"] is None:
            return said
        before = {"before": page["next_before"]}


async def finish(ann: Player, bob: Player, duel_id: str) -> dict[str, Any]:
    """Play a duel to its end, holding everything."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for player in (ann, bob):
                duel = (await player.do("duel:get", duel_id=duel_id))["duel"]
                if duel["status"] != "active":
                    finished: dict[str, Any] = duel
                    return finished
                if not duel["you"]["played"]:
                    await player.do("duel:play", duel_id=duel_id, round=duel["round"], hold=[])


class Talker:
    """A player who says one thing after the other, and remembers what was acknowledged."""

    def __init__(self, player: Player, room: str) -> None:
        self.player = player
        self.room = room
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.slowest = 0.0
        self._count = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Talk until `stop`."""
        self._task = asyncio.create_task(self._talk())

    async def stop(self) -> None:
        """Finish the sentence."""
        task, self._task = self._task, None
        assert task
        await task

    async def cut_off(self) -> None:
        """The server died: what was not acknowledged by now will not be."""
        task, self._task = self._task, None
        assert task
        task.cancel()
        await asyncio.wait([task])

    async def _talk(self) -> None:
        while self._task:
            await self.say()
            await asyncio.sleep(0.02)

    async def say(self) -> str:
        """Say the next thing; 'ok' or the code of the refusal."""
        self._count += 1
        text = f"{self.player.id} {self._count}"
        began = time.monotonic()
        code, data = await try_to(self.player, "chat:send", room=self.room, text=text)
        self.slowest = max(self.slowest, time.monotonic() - began)
        if code == "ok":
            self.acknowledged.append(data["message"]["id"])
        else:
            assert data["retryable"], data
            self.refused.append(code)
        return code


async def nothing_lost(talkers: list[Talker], reader: Player) -> list[str]:
    """Each acknowledged message is in the history once, in the order it was acknowledged."""
    said = [message["id"] for message in await history(reader, talkers[0].room)]
    assert len(said) == len(set(said))
    for talker in talkers:
        own = set(talker.acknowledged)
        assert [one for one in said if one in own] == talker.acknowledged
    return said


async def owned_keys(stores: Stores) -> set[str]:
    """The keys that do not go away by themselves: somebody has to delete them."""
    async with RedisStore(stores.redis_url, Redis(commands=1_000_000)) as redis:
        names = await redis.call("KEYS", "*")
        left = await redis.batch([("PTTL", name) for name in names])
    owned = {name for name, ms in zip(names, left, strict=True) if ms == -1}
    return {name for name in owned if not name.startswith("{bull}:")}  # the queues'


class Footprint:
    """What a server holds on to: tasks, descriptors, memory, and keys in Redis."""

    def __init__(self, server: Server, stores: Stores, table: Table) -> None:
        self._server = server
        self._stores = stores
        self._probe = Probe(table)
        self._tasks = self._files = self._memory = 0.0

    async def settle(self) -> None:
        """Note it, once it does not change any more."""
        await until(self._idle, bool)
        self._tasks, self._files, self._memory = await until(self._twice, bool) or (0, 0, 0)

    async def check(self, megabytes: int) -> None:
        """It is what it was: no task and no descriptor more, about as much memory."""
        await until(self._idle, bool)
        await until(self._grown, lambda grown: not grown)
        memory = (await self._now())[2] - self._memory
        assert memory < megabytes * 1024 * 1024, f"{memory} bytes"
        await until(lambda: owned_keys(self._stores), LASTING.issuperset)

    async def _grown(self) -> dict[str, float]:
        tasks, files, _ = await self._now()
        grown = {"tasks": tasks - self._tasks, "files": files - self._files}
        return {name: more for name, more in grown.items() if more > 0}

    async def _idle(self) -> bool:
        names = ("showdown_connections", "showdown_handshakes", "showdown_send_buffer_bytes")
        return not any([await self._probe.gauge(self._server, name) for name in names])

    async def _twice(self) -> tuple[float, float, float] | None:
        """The same tasks and descriptors before and after more than a sample's time."""
        first = await self._now()
        await asyncio.sleep(1.2)
        second = await self._now()
        return second if first[:2] == second[:2] else None

    async def _now(self) -> tuple[float, float, float]:
        tasks = await self._probe.gauge(self._server, "showdown_tasks")
        process = Path(f"/proc/{self._server.pid}")
        files = len(list((process / "fd").iterdir()))
        pages = int((process / "statm").read_text().split()[1])
        return tasks, files, pages * os.sysconf("SC_PAGE_SIZE")
