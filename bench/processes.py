"""The servers of a bench as processes, and what they use."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "bench" / "peers"
START_SECONDS = 60.0
QUIET_SECONDS = 60.0  # that a server may go on working after its clients left
QUIET_LOAD = 0.1  # of a core
SECRET = "a secret of the bench, long enough for HS256"  # noqa: S105 - signs nothing real

CPUCLOCK_SCHED = 2  # Linux, include/linux/posix-timers.h
PAGE = os.sysconf("SC_PAGE_SIZE")

# No limit may be what is measured; all are there and checked.
GENEROUS = {
    "HOST": "127.0.0.1",
    "PORT": 0,
    "AUTH__SECRET": SECRET,
    "AUTH__ACCESS_SECONDS": 86_400,
    "LIMITS__AUTH_PER_MINUTE": 1_000_000,
    "LIMITS__CONNECTIONS_PER_ADDRESS": 100_000,
    "LIMITS__CONNECTIONS_PER_ACCOUNT": 10_000,
    "LIMITS__CONNECTIONS_PER_NODE": 100_000,
    "LIMITS__EVENTS_PER_SECOND": 1_000_000,
    "LIMITS__EVENTS_BURST": 1_000_000,
    "LIMITS__REQUESTS_PER_SECOND": 1_000_000,
    "LIMITS__REQUESTS_BURST": 1_000_000,
    "LIMITS__CHAT_MESSAGES": 1_000,
    "LIMITS__CHAT_WINDOW_SECONDS": 1,
    "LIMITS__CHAT_CHARS": 5_000,
    "LIMITS__ABUSE_REFUSALS": 1_000_000,
    "CHAT__BUFFER": 10_000_000,
    "REDIS__COMMANDS": 1_000_000,
    "SHUTDOWN__GRACE_SECONDS": 0.1,
    "LOGS__LEVEL": "warning",
}


@dataclass
class Served:
    """A server that runs: its name in the report, its port, its process and the stores'.

    `others` are processes whose CPU counts with its own.
    """

    name: str
    process: subprocess.Popen[str]
    address: str
    stores: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)

    @property
    def pids(self) -> list[int]:
        """The processes that serve."""
        return [self.process.pid, *self.others]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(re.findall(r"\d+", self.address)[-1])

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        statm = Path(f"/proc/{self.process.pid}/statm").read_text("ascii")
        return int(statm.split()[1]) * PAGE

    def forget_peak(self) -> None:
        """Measure the most memory from now on (proc(5), clear_refs)."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", "ascii")

    @property
    def peak(self) -> int:
        """The most bytes of memory that it had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1_024

    def be_quiet(self) -> None:
        """Wait until it has done what the last clients left behind."""
        deadline = time.monotonic() + QUIET_SECONDS
        used = cpu_seconds([self.process.pid])
        while time.monotonic() < deadline:
            time.sleep(0.25)
            before, used = used, cpu_seconds([self.process.pid])
            if used - before < 0.25 * QUIET_LOAD:
                return

    def stop(self) -> None:
        """End it, in order if it can be."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _wait(self.process)


@dataclass
class Stores:
    """The stores of all servers of a bench."""

    process: subprocess.Popen[str]
    redis_url: str
    mongo_url: str

    @property
    def pids(self) -> list[int]:
        """Their processes."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, path.read_text("ascii").split())]

    @property
    def socket_path(self) -> str:
        """Where Redis listens."""
        return self.redis_url.removeprefix("unix://")

    def stop(self) -> None:
        """End them."""
        if self.process.stdin:
            self.process.stdin.close()
        _wait(self.process)


@dataclass(frozen=True)
class Usage:
    """Seconds: of CPU by the server and by its stores, and by the clock."""

    server: float
    stores: float
    wall: float


class Meter:
    """What a server uses from now on."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._before = self._read()

    def _read(self) -> tuple[float, float, float]:
        server = cpu_seconds(self._served.pids)
        return server, cpu_seconds(self._served.stores), time.perf_counter()

    def usage(self) -> Usage:
        """What was used until now."""
        return Usage(*(b - a for a, b in zip(self._before, self._read(), strict=True)))


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of processes, all their threads.

    By the clock of each process (clock_getcpuclockid(3) makes its number so): /proc counts
    in hundredths of a second, of which a storm of connections takes ten.
    """
    return sum(time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED) for pid in pids)


def start_stores(data_dir: Path) -> Stores:
    """A Valkey and a document store."""
    process, address = _start([sys.executable, "-m", "bench.stores", str(data_dir)], "listening on")
    redis_url, mongo_url = address.split()
    return Stores(process, redis_url, mongo_url)


def start_showdown(
    stores: Stores, name: str = "Showdown", module: str = "server", **settings: object
) -> Served:
    """Our server as `scripts/serve` starts it, with generous limits."""
    urls = {"REDIS_URL": stores.redis_url, "MONGO_URL": stores.mongo_url}
    values = {**GENEROUS, **urls, **settings}
    environment = {f"SHOWDOWN_{key}": str(value) for key, value in values.items()}
    command = [sys.executable, "-m", module, "serve"]
    process, address = _start(command, "Showdown is ready:", environment)
    return Served(name, process, address, stores.pids)


def start_node(stores: Stores) -> Served:
    """Socket.IO on Node, without any work."""
    command = [node(), str(PEERS / "bare.mjs")]
    return Served("Node", *_start(command, "listening on"), stores.pids)


def start_working_node(stores: Stores) -> Served:
    """Socket.IO on Node, with the work of a game's chat."""
    command = [node(), str(PEERS / "working.mjs"), stores.socket_path]
    environment = {"SECRET": SECRET}
    return Served("Node + work", *_start(command, "listening on", environment), stores.pids)


def start_stock(stores: Stores) -> Served:
    """python-socketio, without any work."""
    command = [sys.executable, str(PEERS / "stock.py")]
    return Served("python-socketio", *_start(command, "listening on"), stores.pids)


def sync(stores: Stores, when: str) -> None:
    """Have the stores' Valkey sync its append-only file `always`, or `everysec`."""
    command = f"CONFIG SET appendfsync {when}"
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(stores.socket_path)
        line.sendall(command.encode() + b"\r\n")
        answer = line.recv(100)
    if answer != b"+OK\r\n":
        raise RuntimeError(f"{command}: {answer!r}")


def node() -> str:
    """The program that runs JavaScript: that of .venv where the machine has none."""
    own = Path(sys.prefix) / "bin" / "node"
    return str(own) if own.exists() else "node"


def _start(
    command: list[str], ready: str, settings: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[str], str]:
    """A process, and what it says of its address in its line of readiness."""
    inherited = {key: value for key, value in os.environ.items() if "SHOWDOWN" not in key}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**inherited, "NODE_ENV": "production", **(settings or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout or ():
        _, found, address = line.partition(ready)
        if found:
            # Nobody reads on, and a full pipe would stop the server.
            threading.Thread(target=_drain, args=(process,), daemon=True).start()
            return process, address.strip()
    raise RuntimeError(f"{command} did not start")


def _wait(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(START_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _drain(process: subprocess.Popen[str]) -> None:
    for _ in process.stdout or ():
        pass
