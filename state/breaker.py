"""A circuit breaker: a store that does not answer is left alone for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from game.errors import DependencyUnavailable

FAILURES = 5  # in a row: one may be a lost packet, five are an outage
OPEN_SECONDS = 1.0  # short, since the health probes find the store's return anyway

Observer = Callable[[str, str, float], None]
"""Called with the store, the operation and the seconds that it took."""


class Breaker:
    """Counts failures in a row; open, it refuses at once instead of letting callers wait.

    Half-open needs no state of its own: after `OPEN_SECONDS` one call goes through and opens
    it for as long again, so that nobody else waits for a store that stands still.

    Args:
        name: the store's, in metrics and logs.
        away: the driver's exceptions that mean "no answer", not "wrong call".
        observe: told of each call that was answered.
        now: a monotonic clock in seconds.
    """

    def __init__(
        self,
        name: str,
        away: tuple[type[Exception], ...],
        observe: Observer | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._away = away
        self._observe = observe
        self._now = now
        self._failures = 0
        self._open_until = 0.0

    @property
    def open(self) -> bool:
        """Whether calls are refused at this moment."""
        return self._now() < self._open_until

    @contextmanager
    def guard(self, operation: str) -> Iterator[None]:
        """Wrap one call to the store.

        Raises:
            DependencyUnavailable: the breaker is open, or the store did not answer;
                in the second case a write may have happened.
        """
        if self.open:
            raise DependencyUnavailable(retry_after=OPEN_SECONDS)
        started = self._now()
        if self._failures >= FAILURES:
            self._open_until = started + OPEN_SECONDS
        with self.probe():
            yield
        if self._observe:
            self._observe(self.name, operation, self._now() - started)

    @contextmanager
    def probe(self) -> Iterator[None]:
        """Wrap a sign of life: it goes through an open breaker and closes it again."""
        try:
            yield
        except self._away as error:
            self._failures += 1
            if self._failures >= FAILURES:
                self._open_until = self._now() + OPEN_SECONDS
            raise DependencyUnavailable(retry_after=OPEN_SECONDS) from error
        self._failures = 0
        self._open_until = 0.0
