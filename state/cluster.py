"""A line to each primary of a cluster, and the map of its slots.

https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/: a key's slot is the
CRC-16 (XMODEM) of its hash tag, modulo 16,384. `MOVED` says that a slot is elsewhere for good,
`ASK` that a key is elsewhere while its slot moves. The map is read again by the health probe
every second, and at once after a `MOVED` or a broken line, though not more often than ten
times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from binascii import crc_hqx
from collections.abc import Iterable, Sequence
from typing import Any

from redis.exceptions import (
    AskError,
    BusyLoadingError,
    MovedError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as LineBroken

from config.redis_url import Node, RedisUrl
from config.sections import Redis as RedisSettings
from state.line import Argument, Line, Listener
from state.lines import Lines

SLOTS = 16_384
REFRESH_SECONDS = 0.1  # between two readings of the map
REDIRECTIONS = 5  # of one command
MANY = sys.maxsize
PAUSE_SECONDS = 0.05  # for keys that are just being moved, times the redirections so far


class SlotMap:
    """Which node has which slot, and which nodes there are."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.stale = True
        self.known = set(nodes)  # replicas too: any of them can tell the map
        self._seeds = frozenset(nodes)
        self._owners: list[Node | None] = [None] * SLOTS

    def owner(self, key: str) -> Node:
        """The primary of a key.

        Raises:
            BusyLoadingError: nobody has its slot.
        """
        found = self.known_owner(key)
        if found is None:
            raise BusyLoadingError("Nobody has this slot.")
        return found

    def known_owner(self, key: str) -> Node | None:
        """The primary of a key, if there is one."""
        return self._owners[slot_of(key)]

    def owners(self) -> set[Node]:
        """All primaries that have a slot."""
        return {owner for owner in self._owners if owner}

    def moved(self, told: MovedError) -> None:
        """A node says who has a slot; what else moved is to be read."""
        self.stale = True
        if told.host:  # none: the one that says so, at another port
            self._owners[told.slot_id] = told.host, told.port

    def take(self, teller: Node, slots: Sequence[Any]) -> bool:
        """Take over the answer to CLUSTER SLOTS; False if it is empty."""
        if not slots:
            return False
        owners: list[Node | None] = [None] * SLOTS
        known = set(self._seeds)
        for first, last, *nodes in slots:
            there = [(host or teller[0], port) for host, port, *_ in nodes]
            owners[first : last + 1] = [there[0]] * (last + 1 - first)
            known.update(there)
        self._owners, self.known, self.stale = owners, known, False
        return True


def slot_of(key: str) -> int:
    """The slot of a key: of what is between its first { and the next }, if there is something."""
    _, _, after = key.partition("{")
    tag, closed, _ = after.partition("}")
    return crc_hqx((tag if closed and tag else key).encode(), 0) % SLOTS


class ClusterLines(Lines):
    """One line to each primary that somebody asked for."""

    sharded = True

    def __init__(self, url: RedisUrl, settings: RedisSettings) -> None:
        super().__init__(url, settings)
        self._map = SlotMap(url.nodes)
        self._lines: dict[Node, Line] = {}
        self._greeted: Line | None = None
        self._ears: dict[Line, tuple[Node, str]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._read_at = 0.0

    def now(self, key: str) -> Line | None:
        """The line to the primary that had the key's slot when we heard last: if that is no more
        true it says so, and an outage of one primary is none of the others'.
        """
        node = self._map.known_owner(key)
        line = self._lines.get(node) if node else None
        return line if line is not None and not line.broken else None

    async def to(self, key: str) -> Line:
        """The line to the primary that has the key's slot."""
        if self._map.stale:
            await self._refresh()
        return self.now(key) or await self._line_to(self._map.owner(key))

    async def again(self, refusal: ResponseError, command: Sequence[Argument], key: str) -> Any:
        """Follow `MOVED` and `ASK`, and wait out `TRYAGAIN`, a few times."""
        for turn in range(REDIRECTIONS):
            if not isinstance(refusal, AskError | TryAgainError):
                break
            try:
                if isinstance(refusal, AskError) and not isinstance(refusal, MovedError):
                    return await self._ask((refusal.host, refusal.port), command)
                if isinstance(refusal, MovedError):
                    self._map.moved(refusal)
                    self._look()
                await asyncio.sleep(turn * PAUSE_SECONDS)
                return await (self.now(key) or await self.to(key)).send(*command)
            except ResponseError as error:
                refusal = error
        raise refusal

    async def listen(self, listener: Listener, key: str) -> Line:
        """A line to the primary beside whose key is published; it ends when that is another."""
        if self._map.stale:
            await self._refresh()
        node = self._map.owner(key)
        line = await self._connected(node, listener)
        self._ears[line] = node, key
        line.closed.add_done_callback(lambda _: self._ears.pop(line, None))
        return line

    async def address(self, key: str) -> str:
        """The URL of the primary that has the key's slot, as the cluster says now."""
        await self._refresh()
        return self._url.of(self._map.owner(key))

    async def ping(self) -> None:
        """Read the map, and ask each primary whether the cluster holds together."""
        self._map.stale = True
        await self._refresh()
        await asyncio.gather(*map(self._is_sound, self._map.owners()))

    async def close(self) -> None:
        """Hang up on all."""
        for line in self._lines.values():
            line.hang_up()
        await asyncio.gather(*(line.closed for line in self._lines.values()))

    @property
    def waiting(self) -> int:
        """Commands that wait for their answers, anywhere."""
        return sum(line.waiting for line in self._lines.values())

    # Lines

    async def _line_to(self, node: Node) -> Line:
        async with self._opening:
            line = self._lines.get(node)
            if line is None or line.broken:
                line = self._lines[node] = await self._connected(node)
        return line

    async def _connected(self, node: Node, listener: Listener | None = None) -> Line:
        try:
            line = await self._connect(self._url.of(node), listener)
            if listener is None and self.greeting and self._map.owner(self.greeting.key) == node:
                await self._greet(line)
                self._greeted = line
        except BaseException:
            self._map.stale = True
            raise
        line.closed.add_done_callback(self._broke)
        return line

    def _broke(self, _: object) -> None:
        self._map.stale = True

    async def _is_sound(self, node: Node) -> None:
        info = await (await self._line_to(node)).send("CLUSTER", "INFO")
        if "cluster_state:ok" not in info:
            raise BusyLoadingError("The cluster does not hold together.")

    async def _ask(self, node: Node, command: Sequence[Argument]) -> Any:
        line = await self._line_to(node)
        # ASKING concerns the next command, which leaves right behind it.
        answers = line.send("ASKING"), line.send(*command)
        return (await asyncio.gather(*answers))[1]

    # The map

    async def _refresh(self) -> None:
        """Read the map, once for all who wait for it."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        await asyncio.sleep(self._read_at + REFRESH_SECONDS - time.monotonic())
        self._read_at = time.monotonic()
        for node in self._candidates():
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                if self._map.take(node, await self._slots_by(node)):
                    self._look()
                    return
        raise LineBroken("No node of the cluster answers.")

    def _candidates(self) -> list[Node]:
        """Whom to ask: first who leaves least unanswered, since another may stand still."""
        lines = {node: line for node, line in self._lines.items() if not line.broken}
        nodes = list({*lines, *self._map.known})
        random.shuffle(nodes)
        return sorted(nodes, key=lambda node: lines[node].waiting if node in lines else MANY)

    async def _slots_by(self, node: Node) -> list[Any]:
        line = self._lines.get(node)
        if line and not line.broken:
            slots: list[Any] = await line.send("CLUSTER", "SLOTS")
            return slots
        line = await self._connect(self._url.of(node))
        try:
            return [*await line.send("CLUSTER", "SLOTS")]
        finally:
            line.hang_up()

    def _look(self) -> None:
        """The map is another: end what goes to the wrong node, and what began unwelcomed."""
        owners = self._map.owners()
        for node in self._lines.keys() - owners:
            self._lines.pop(node).hang_up()
        for line, (node, key) in list(self._ears.items()):
            if self._map.owner(key) != node:
                line.hang_up()
        home = self._lines.get(self._map.owner(self.greeting.key)) if self.greeting else None
        if home and home is not self._greeted:
            home.hang_up()
