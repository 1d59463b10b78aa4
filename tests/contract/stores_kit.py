"""What the tests of the bundled stores share: an ear for their events, and other programs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from state.processes import Daemon

SLEEP = "import time; time.sleep(60)"
DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); signal.pause()"
)


class Events:
    """What the stores told, in order, and a way to wait for the next of a kind."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, object]]] = []
        self._news: asyncio.Queue[str] = asyncio.Queue()

    def __call__(self, name: str, /, **fields: object) -> None:
        self.seen.append((name, fields))
        self._news.put_nowait(name)

    async def until(self, name: str) -> None:
        async with asyncio.timeout(20):
            while await self._news.get() != name:
                pass

    def names(self) -> list[str]:
        return [name for name, _ in self.seen]


def kill(store: Daemon) -> int:
    assert store.pid is not None
    os.kill(store.pid, signal.SIGKILL)
    return store.pid


@contextmanager
def running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            process.kill()


def program(code: str, *words: str) -> list[str]:
    """The command for a few lines of Python, with more words for others to find in it."""
    return [sys.executable, "-I", "-u", "-c", code, *words]
