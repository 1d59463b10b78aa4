"""Departures by themselves; tests/integration/test_presence.py goes through the front door."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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


def reception_of(books: Any, now: Callable[[], int], ask: Any = None) -> Reception:
    unused = cast("Any", None)
    return Reception(
        settings=unused,
        world=cast("Any", SimpleNamespace(live=books, now=now)),
        catalogue=Catalogue(),
        boundary=Boundary(Metrics(), 5.0),
        places=cast("Any", SimpleNamespace(recovery=books)),
        publisher=unused,
        authenticator=unused,
        metrics=unused,
        ask=ask,
    )


async def test_who_was_sent_away_while_he_came_begins_no_record() -> None:
    class Records:
        def opening(self, *_: object) -> str:
            return "record"

    async def ask(questions: list[Any]) -> list[Any]:
        asked.append(questions)
        return [7] * len(questions)

    asked: list[list[Any]] = []
    reception = reception_of(Records(), lambda: 0, ask)
    for ended in (False, True):
        session = cast("Any", SimpleNamespace(ended=ended, socket=SimpleNamespace(after=0)))
        session.sid = session.pid = session.connection = session.address = "id"
        session.caller = SimpleNamespace(player_id="p", name="Ann", role="player")
        await reception._ready(session, ["room"])
        assert session.socket.after == (0 if ended else 7)
    assert asked == [["record"], []], "nobody would end it: he has left already"


async def test_when_all_leave_at_once_redis_is_not_asked_for_all_at_once() -> None:
    books, time = Books(), iter(range(1_000_000))
    reception = reception_of(books, lambda: next(time))
    everybody = [f"node.{number}" for number in range(3 * DEPARTURES)]
    leaving = [asyncio.create_task(reception.departed(one, "pid")) for one in everybody]
    await asyncio.sleep(0)
    assert next(time) == len(everybody), "each has left when he left, not when his turn came"
    await asyncio.gather(*leaving)
    assert books.most == DEPARTURES
    assert sorted(books.vacated) == sorted(everybody)
