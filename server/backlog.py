"""Events that Redis could not be told of: kept in their order, and told later, each once.

What an event tells of is stored before it is published. If Redis goes away between the two,
or its answer is lost, nobody may be left without the event, and nobody may get it twice.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

from config.logging import get_logger
from game.errors import DependencyUnavailable
from handlers.base import Once
from server.metrics import Metrics
from state.recovery import Recovery, new_token

MOST_WAITING = 10_000  # events; then they are lost, and every client is shown the truth anew

log = get_logger(__name__)


@dataclass(order=True, slots=True)
class Unsent:
    """An event that waits; it may have been published `since` (ms), None if it was not.

    What nodes tell each other has no token: it does no harm twice.
    """

    number: int
    room: str = field(compare=False)
    packet: str = field(compare=False)
    skip: str | None = field(compare=False)
    token: str | None = field(compare=False)
    since: int | None = field(compare=False)


class Backlog:
    """Publishes events, at once or as soon as Redis answers again.

    `on_lost` tells all nodes that events are lost; server/bootstrap.py sets it.
    """

    def __init__(self, recovery: Recovery, metrics: Metrics, most: int = MOST_WAITING) -> None:
        self.on_lost: Callable[[], Awaitable[object]]
        self._recovery = recovery
        self._metrics = metrics
        self._most = most
        self._numbers = count(1)
        self._waiting: list[Unsent] = []
        self._delivering = False
        self._lost = False

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return len(self._waiting)

    async def publish(
        self, room: str, packet: str, skip: str | None, once: Once | None = None
    ) -> None:
        """Publish an event, after those that wait. Nothing is raised when Redis is away.

        Args:
            packet: without its closing bracket, as the log wants it.
        """
        token, since = once or (new_token(), None)
        await self._send_or_keep(Unsent(next(self._numbers), room, packet, skip, token, since))

    async def tell(self, room: str, text: str) -> None:
        """Publish something that is not kept in the log, but must not be lost now."""
        await self._send_or_keep(Unsent(next(self._numbers), room, text, None, None, None))

    async def _send_or_keep(self, event: Unsent) -> None:
        if self._waiting or self._delivering:
            self._keep(event)
            return
        try:
            await self._send(event)
        except (DependencyUnavailable, asyncio.CancelledError) as error:
            self._keep(event)
            if isinstance(error, asyncio.CancelledError):
                raise

    async def deliver(self) -> None:
        """Publish what waits.

        Raises:
            DependencyUnavailable: Redis is still away.
        """
        self._delivering = True
        try:
            if self._lost:
                await self._start_over()
            while self._waiting:
                await self._send_first()
        finally:
            self._delivering = False

    async def _send(self, event: Unsent) -> None:
        if event.token is None:
            await self._recovery.tell(event.room, event.packet)
            return
        since, event.since = event.since, event.since or 0
        await self._recovery.publish(event.room, event.packet, event.skip, event.token, since)

    async def _send_first(self) -> None:
        event = self._waiting.pop(0)
        try:
            await self._send(event)
        except (DependencyUnavailable, asyncio.CancelledError):
            insort(self._waiting, event)
            raise

    def _keep(self, event: Unsent) -> None:
        self._metrics.publish_failures.inc()
        if not self._waiting:
            log.warning("publish_late", room=event.room)
        insort(self._waiting, event)
        if len(self._waiting) > self._most:
            log.error("events_lost", count=len(self._waiting))
            self._waiting.clear()
            self._lost = True

    async def _start_over(self) -> None:
        await self._recovery.begin_anew()
        await self.on_lost()
        self._lost = False
