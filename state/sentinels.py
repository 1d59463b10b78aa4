"""The primary of a service that sentinels watch over.

https://redis.io/docs/latest/develop/reference/sentinel-clients/: the sentinels are asked in
turn, the one they name must say of itself that it is a primary, and `+switch-master` tells of
a failover. A sentinel that keeps silent is noticed by the health probe's question, every
second, which also finds a switch whose message was lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from redis.exceptions import ConnectionError as LineBroken
from redis.exceptions import RedisError, ResponseError

from config.redis_url import Node, RedisUrl
from config.sections import Redis as RedisSettings
from state.line import Line, Listener, connect
from state.lines import Lines

SWITCHED = "+switch-master"
COMMANDS = 10  # to a sentinel that may wait for their answers


class SentinelLines(Lines):
    """One line, to the primary of the moment."""

    def __init__(self, url: RedisUrl, settings: RedisSettings) -> None:
        super().__init__(url, settings)
        self._sentinels = list(url.nodes)  # the one that answered last is the first
        self._watch: Line | None = None
        self._named: Node | None = None
        self._ears: set[Line] = set()
        self._asking = asyncio.Lock()

    async def listen(self, listener: Listener, key: str) -> Line:
        """A line that ends when the primary is another one."""
        line = await super().listen(listener, key)
        self._ears.add(line)
        line.closed.add_done_callback(lambda _: self._ears.discard(line))
        return line

    async def ping(self) -> None:
        """Ask a sentinel who it is, and the primary for a sign of life. Without sentinels the
        primary serves as before.
        """
        with contextlib.suppress(LineBroken):
            await self._ask()
        await super().ping()

    async def close(self) -> None:
        """Hang up, on the sentinel too."""
        if self._watch:
            self._watch.hang_up()
        await super().close()

    async def _primary(self) -> str:
        return self._url.of(await self._ask())

    async def _connect(self, url: str, listener: Listener | None = None) -> Line:
        """Connect, and ask: sentinels may be late to know."""
        line = await super()._connect(url, listener)
        try:
            _check(await line.send("ROLE"))
        except BaseException:
            line.hang_up()
            raise
        return line

    async def _ask(self) -> Node:
        """The primary, by the first sentinel that knows.

        Raises:
            ConnectionError: none does.
        """
        async with self._asking:
            for sentinel in list(self._sentinels):
                try:
                    named = await self._name(sentinel)
                except (RedisError, OSError, TimeoutError):
                    self._sentinels.remove(sentinel)
                    self._sentinels.append(sentinel)
                else:
                    self._is_named(named)
                    return named
        raise LineBroken(f"No sentinel knows the primary of {self._url.service}.")

    async def _name(self, sentinel: Node) -> Node:
        if self._watch is None or self._watch.broken:
            seconds = self._settings.timeout_seconds
            url = self._url.of_sentinel(sentinel)
            self._watch = await connect(url, seconds, COMMANDS, self._heard)
            self._watch.write("SUBSCRIBE", SWITCHED)
        named = await self._watch.send("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._url.service)
        if named is None:
            self._watch.hang_up()
            raise ResponseError("There is no such service.")
        return named[0], int(named[1])

    def _heard(self, push: list[Any]) -> None:
        if push[:2] == ["message", SWITCHED]:
            service, _, _, host, port = push[2].split(" ")
            if service == self._url.service:
                self._is_named((host, int(port)))

    def _is_named(self, primary: Node) -> None:
        """Whatever goes to another one ends: what it would take now is lost later."""
        if primary != self._named:
            self._named = primary
            for line in (self._line, *self._ears):
                if line:
                    line.hang_up()


def _check(role: list[Any]) -> None:
    if role[0] != "master":
        raise LineBroken("The sentinels name a store that is no primary.")
