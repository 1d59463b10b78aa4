"""Background tasks with an owner: named, restarted with back-off, ended in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from config.logging import get_logger
from server.boundary import Boundary, new_request_id
from server.metrics import Metrics

FIRST_PAUSE = 0.2
# What work is late by, at the most, when a store comes back: a beat among it, and lease and
# deadlines wait for nobody.
LONGEST_PAUSE = 1.0

log = get_logger(__name__)


class Supervisor:
    """Runs tasks for as long as the process lives."""

    def __init__(self, boundary: Boundary, metrics: Metrics) -> None:
        self._boundary = boundary
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []

    def keep(self, name: str, work: Callable[[], Awaitable[object]], *, every: float = 0) -> None:
        """Run `work`, again and again: after `every` seconds, or after a pause if it failed."""
        self._tasks.append(asyncio.create_task(self._run(name, work, every), name=name))

    async def _run(self, name: str, work: Callable[[], Awaitable[object]], every: float) -> None:
        failures = 0
        while True:
            outcome = await self._boundary.guard(
                "task", name, new_request_id(), work, limited=False
            )
            failures = failures + 1 if outcome.error else 0
            if outcome.error:
                self._metrics.restarts.labels(name).inc()
            await asyncio.sleep(every if not failures else _pause(failures))

    async def stop(self, seconds: float) -> None:
        """Cancel all, the youngest first, each within a bound."""
        while self._tasks:
            task = self._tasks.pop()
            task.cancel()
            _, late = await asyncio.wait([task], timeout=seconds)
            if late:
                log.error("task_does_not_end", task=task.get_name())


def _pause(failures: int) -> float:
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 10))
    return random.uniform(FIRST_PAUSE, longest)  # noqa: S311 - spreads load, guards nothing
