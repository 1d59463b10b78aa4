"""Departures by themselves; tests/integration/test_presence.py goes through the front door."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from handlers.registry import Catalogue
from server.boundary import Boundary
from server.metrics import Metrics
from server.reception import DEPARTURES, Reception


class Books:
    """What a departure asks of Redis, and how many ask at once."""

    def __init__(self) -> None:
        self.asking = self.most = 0
        self.vacated: list[str] = []
        self.left_at: set[int] = set()

    async def left(self, pid: str, connection: str, at: int) -> None:
        """Wait a little, as for an answer."""
        self.left_at.add(at)
        self.asking += 1
        self.most = max(self.most, self.asking)
        await asyncio.sleep(0.001)
        self.asking -= 1

    async def vacate(self, connection: str, *, at: int) -> None:
        """Nobody has to be told."""
        self.vacated.append(connection)


async def test_when_all_leave_at_once_redis_is_not_asked_for_all_at_once() -> None:
    books, time = Books(), iter(range(1_000_000))
    unused = cast("Any", None)
    reception = Reception(
        settings=unused,
        world=cast("Any", SimpleNamespace(live=books, now=lambda: next(time))),
        catalogue=Catalogue(),
        boundary=Boundary(Metrics(), 5.0),
        places=cast("Any", SimpleNamespace(recovery=books)),
        publisher=unused,
        authenticator=unused,
        metrics=unused,
        ask=unused,
    )
    everybody = [f"node.{number}" for number in range(3 * DEPARTURES)]
    leaving = [asyncio.create_task(reception.departed(one, "pid")) for one in everybody]
    await asyncio.sleep(0)
    assert next(time) == len(everybody), "each has left when he left, not when his turn came"
    await asyncio.gather(*leaving)
    assert books.most == DEPARTURES
    assert sorted(books.vacated) == sorted(everybody)
