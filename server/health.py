"""Is the node fit to serve? Asked once a second, answered at once, from memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

# Before Python 3.12 pydantic, which writes the documents from these types, does not take
# the one of `typing`.
from typing_extensions import TypedDict

from server.metrics import Metrics

PROBE_SECONDS = 1.0  # how old an answer of /health/ready may be
LAG_SECONDS = 1.0  # a loop that is later than this serves nobody well
LAG_EVERY = 0.25


class CheckView(TypedDict):
    """One check: whether it passes, and since when (ms since the epoch)."""

    ok: bool
    since: int


class Liveness(TypedDict):
    """The event loop turns."""

    status: Literal["live"]


class Readiness(TypedDict):
    """Whether the node is fit to serve, and the names of the checks that say no."""

    status: Literal["ready", "not_ready"]
    failing: list[str]


class StoreView(TypedDict):
    """Connections of the pool that are in use, of how many; and whether its breaker is open."""

    in_use: int
    size: int
    open: bool


class Details(TypedDict):
    """A node: its name, its signed-in connections, its stores by name, and its jobs.

    `works_on` are the queues that it works on, `beyond` those that it leaves to others, each
    with the variable that is not set here.
    """

    node: str
    connections: int
    stores: dict[str, StoreView]
    works_on: list[str]
    beyond: dict[str, str]


class FullHealth(Details):
    """All that an operator wants to know of a node, its checks by name."""

    checks: dict[str, CheckView]


class Health:
    """The readiness checks by name."""

    def __init__(self, metrics: Metrics) -> None:
        self.checks: dict[str, CheckView] = {}
        self._metrics = metrics

    @property
    def ready(self) -> bool:
        """Whether every check passes."""
        return bool(self.checks) and not self.failing

    @property
    def failing(self) -> list[str]:
        """The names of the checks that do not pass."""
        return [name for name, check in self.checks.items() if not check["ok"]]

    def set(self, name: str, *, ok: bool) -> None:
        """A check's newest result."""
        known = self.checks.get(name)
        if known is None or known["ok"] is not ok:
            self.checks[name] = CheckView(ok=ok, since=int(time.time() * 1000))
        self._metrics.ready.labels(name).set(ok)

    async def probe(self, name: str, ask: Callable[[], Awaitable[object]]) -> None:
        """Ask a store for a sign of life; what it raises is the task's to report."""
        try:
            await ask()
        except BaseException:
            self.set(name, ok=False)
            raise
        self.set(name, ok=True)

    async def watch_loop(self) -> None:
        """Measure how late the event loop comes back from a sleep."""
        started = time.perf_counter()
        await asyncio.sleep(LAG_EVERY)
        lag = time.perf_counter() - started - LAG_EVERY
        self._metrics.loop_lag.set(max(0.0, lag))
        self.set("loop_lag", ok=lag < LAG_SECONDS)
