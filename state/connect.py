"""Redis or Valkey: one line, one breaker, one place where its errors become ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha1
from pathlib import Path
from typing import Any, Self

from redis.exceptions import BusyLoadingError, NoScriptError, OutOfMemoryError, ReadOnlyError
from redis.exceptions import ConnectionError as LineBroken

from config.sections import Redis as RedisSettings
from state.breaker import Breaker, Observer
from state.line import Argument, Line, Listener, connect

__all__ = ["AWAY", "Argument", "RedisStore", "Script", "Subscription"]

# What means "the store is away", not "the call was wrong".
AWAY = (LineBroken, BusyLoadingError, ReadOnlyError, OutOfMemoryError, OSError, TimeoutError)
CHANNELS_AT_ONCE = 500  # in one command


class Script:
    """One Lua file of state/scripts, called by its hash.

    `state/scripts/lib.lua` is put in front of each, so that helpers are written once.
    """

    def __init__(self, name: str) -> None:
        folder = Path(__file__).parent / "scripts"
        body = (folder / f"{name}.lua").read_text("utf-8")
        self.name = name
        self.text = (folder / "lib.lua").read_text("utf-8") + "\n" + body
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class RedisStore:
    """What the rest of `state` calls: scripts, single commands, and batches of them.

    A command is never sent twice: a retry after a lost answer would run a script's effect
    again. What is safe to repeat is repeated by who knows it.
    """

    def __init__(self, url: str, settings: RedisSettings, observe: Observer | None = None) -> None:
        self.breaker = Breaker("redis", AWAY, observe)
        self.size = settings.commands
        self._url = url
        self._timeout = settings.timeout_seconds
        self._line: Line | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._line:
            self._line.hang_up()
            await self._line.closed

    async def _open(self) -> Line:
        """The line, a new one if the last is broken."""
        if self._line is None or self._line.broken:
            async with self._opening:
                if self._line is None or self._line.broken:
                    self._line = await connect(self._url, self._timeout, self.size)
        return self._line

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script atomically.

        Raises:
            DependencyUnavailable: Redis did not answer; the script may have run.
        """
        with self.breaker.guard(script.name):
            line = await self._open()
            try:
                return await line.send("EVALSHA", script.sha, len(keys), *keys, *args)
            except NoScriptError:  # the first call, or Redis was restarted or emptied
                return await line.send("EVAL", script.text, len(keys), *keys, *args)

    async def call(self, *command: Argument) -> Any:
        """Send one command, none that blocks.

        Raises:
            DependencyUnavailable: Redis did not answer; the command may have run.
        """
        with self.breaker.guard(str(command[0]).lower()):
            return await (await self._open()).send(*command)

    async def batch(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Send many commands in one round trip, not atomically; answers in their order.

        Raises:
            DependencyUnavailable: Redis did not answer; some commands may have run.
        """
        if not commands:
            return []
        with self.breaker.guard("batch"):
            line = await self._open()
            return await asyncio.gather(*(line.send(*command) for command in commands))

    @asynccontextmanager
    async def subscription(self, listener: Listener) -> AsyncIterator[Subscription]:
        """Channels to listen to, over a line of their own.

        Args:
            listener: called with `["message", channel, text]` and, as confirmations, with
                `["subscribe", channel, count]`, in the order of the line.

        Raises:
            DependencyUnavailable: nobody answers.
        """
        with self.breaker.guard("subscribe"):
            line = await connect(self._url, self._timeout, self.size, listener)
        try:
            yield Subscription(line)
        finally:
            line.hang_up()

    async def ping(self) -> None:
        """Ask for a sign of life, past the breaker: this is how a return is noticed.

        Raises:
            DependencyUnavailable: none came.
        """
        with self.breaker.probe():
            await (await self._open()).send("PING")

    @property
    def in_use(self) -> int:
        """Commands that wait for their answers."""
        return self._line.waiting if self._line else 0


class Subscription:
    """A growing and shrinking set of channels on one line, so that what is published to all
    of them arrives in its order.
    """

    def __init__(self, line: Line) -> None:
        self._line = line

    def add(self, channels: Sequence[str]) -> None:
        """Ask for channels; each is heard from the moment that it is confirmed."""
        for start in range(0, len(channels), CHANNELS_AT_ONCE):
            self._line.write("SUBSCRIBE", *channels[start : start + CHANNELS_AT_ONCE])

    def drop(self, *channels: str) -> None:
        """Ask for channels no more."""
        self._line.write("UNSUBSCRIBE", *channels)

    def end(self) -> None:
        """Break the line."""
        self._line.hang_up()

    async def until_broken(self, every: float, alive: Callable[[float], None]) -> None:
        """Wait for the line's end. A host that lost its power, or a network between us, ends
        no connection: it is asked for a sign of life every now and then.

        Args:
            alive: told of an answer, and how many seconds ago it was asked for: what was
                published before that has come.
        """

        def read(answer: asyncio.Future[Any], asked: float) -> None:
            if not answer.cancelled() and not answer.exception():
                alive(time.monotonic() - asked)

        while not self._line.broken:
            await asyncio.wait([self._line.closed], timeout=every)
            if not self._line.broken:
                answered = partial(read, asked=time.monotonic())
                self._line.send("PING").add_done_callback(answered)
