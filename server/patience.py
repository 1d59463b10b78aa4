"""Who has a while for something, and what becomes of him when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Patience(Generic[T]):
    """All have the same time, so one timer does for all: a timer each costs more than all else
    that is done about most of them, which is nothing.

    Args:
        seconds: that each has.
        over: called with who is still in here then, and is no more.
    """

    def __init__(self, seconds: float, over: Callable[[T], None]) -> None:
        self._seconds = seconds
        self._over = over
        self._since: dict[T, float] = {}  # whose time is over first is the first in here
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._since)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._since))

    def add(self, one: T) -> None:
        """His time begins; anew, if it had begun."""
        loop = asyncio.get_running_loop()
        self._since.pop(one, None)
        self._since[one] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)

    def discard(self, one: T) -> None:
        """He has done it, or is gone."""
        self._since.pop(one, None)

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        try:
            while self._since and self._due() <= loop.time():
                one = next(iter(self._since))
                del self._since[one]
                self._over(one)
        finally:
            if self._since:  # one has failed, which is nothing to the others; or it is not time
                self._timer = loop.call_at(self._due(), self._look)

    def _due(self) -> float:
        return next(iter(self._since.values())) + self._seconds
