"""A process that has imported the server, and forks one whenever a test wants one: most of what
a start costs is its imports.

What is forked runs its module as `python -m` does, in an environment of its own. With
TEST_FORK=0, in the long forms of tests (LONG=1) and for --cover each server is a new Python.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WANTED = os.environ.get("TEST_FORK", "0" if os.environ.get("LONG") else "1") == "1"
REQUEST_BYTES = 65_536
# All of server.serve but that itself: it reads the catalogues, which modules of tests extend first.
IMPORTED = (
    *("handlers.catalogue", "jobs.catalogue", "server.app", "server.stores", "server.workers"),
    *("state.embedded", "uvloop"),
)


def forks() -> bool:
    """Whether servers are forked; coverage.py measures an interpreter from its start."""
    return WANTED and sys.platform == "linux" and "COVERAGE_PROCESS_CONFIG" not in os.environ


class Forked:
    """What tests use of asyncio's subprocesses."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader, told: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._end = asyncio.create_task(self._told(told))

    async def _told(self, told: asyncio.StreamReader) -> int:
        self.returncode = int(await told.read())
        return self.returncode

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.shield(self._end)

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)


async def fork(module: str, command: str, environment: Mapping[str, str]) -> Forked:
    """`python -m module command`, with one pipe for everything that it prints."""
    (printed, output), (told, telling) = os.pipe(), os.pipe()
    request = json.dumps([module, command, dict(environment)]).encode()
    socket.send_fds(_forker(), [request], [output, telling])
    os.close(output)
    os.close(telling)
    stdout, ends = await _reader(printed), await _reader(told)
    return Forked(int(await ends.readline()), stdout, ends)


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    return reader


@functools.cache
def _forker() -> socket.socket:
    """The line to the process that forks; when we end it, that process ends."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.forking", str(its.fileno())]
    process = subprocess.Popen(command, cwd=ROOT, pass_fds=[its.fileno()])
    its.close()
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


# What follows runs in the other process.


def main() -> None:
    """Fork what is asked for, and tell of ends, until nobody is left to ask."""
    for module in IMPORTED:
        importlib.import_module(module)
    asked = socket.socket(fileno=int(sys.argv[1]))
    deaths, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    telling: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([asked.fileno(), deaths], [], [])
        if deaths in ready:
            os.read(deaths, REQUEST_BYTES)
            _tell_of_ends(telling)
        if asked.fileno() in ready:
            request, lines, *_ = socket.recv_fds(asked, REQUEST_BYTES, 2)
            if not request:
                return
            output, line = lines
            if (pid := os.fork()) == 0:
                os.dup2(output, 1)
                os.dup2(output, 2)
                _become(request, (asked.detach(), deaths, woken, *telling, *lines))
                return
            os.close(output)
            os.write(line, b"%d\n" % pid)
            telling[line] = pid


def _become(request: bytes, lines: Iterable[int]) -> None:
    """What a new Python would be, without the lines of the one that forks."""
    module, command, environment = json.loads(request)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for line in lines:
        os.close(line)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-m", command]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _tell_of_ends(telling: dict[int, int]) -> None:
    for line, pid in tuple(telling.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            del telling[line]
            with suppress(BrokenPipeError):
                os.write(line, b"%d" % os.waitstatus_to_exitcode(status))
            os.close(line)


if __name__ == "__main__":
    main()
