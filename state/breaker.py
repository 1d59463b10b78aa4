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
        self.observe = observe
        self.now = now
        self.failures = 0
        self._away = away
        self._open_until = 0.0

    @property
    def open(self) -> bool:
        """Whether calls are refused at this moment."""
        return self.now() < self._open_until

    def guard(self, operation: str) -> Guarded:
        """Wrap one call to the store, as a block.

        Raises:
            DependencyUnavailable: the breaker is open, or the store did not answer;
                in the second case a write may have happened.
        """
        return Guarded(self, operation)

    def let_pass(self, now: float) -> None:
        """A call is about to be made, after a failure.

        Raises:
            DependencyUnavailable: the breaker is open.
        """
        if now < self._open_until:
            raise DependencyUnavailable(retry_after=OPEN_SECONDS)
        if self.failures >= FAILURES:
            self._open_until = now + OPEN_SECONDS

    def close(self) -> None:
        """The store has answered."""
        self.failures = 0
        self._open_until = 0.0

    def failed(self, error: BaseException) -> None:
        """A call failed.

        Raises:
            DependencyUnavailable: since the store did not answer; it counts as away.
        """
        if not isinstance(error, self._away):
            return
        self.failures += 1
        if self.failures >= FAILURES:
            self._open_until = self.now() + OPEN_SECONDS
        raise DependencyUnavailable(retry_after=OPEN_SECONDS) from error

    @contextmanager
    def probe(self) -> Iterator[None]:
        """Wrap a sign of life: it goes through an open breaker and closes it again."""
        try:
            yield
        except self._away as error:
            self.failed(error)
        self.close()


class Guarded:
    """One call to the store. Two of them are in every chat message: as a generator, the
    block would cost several times as much.
    """

    __slots__ = ("_breaker", "_operation", "_started")

    def __init__(self, breaker: Breaker, operation: str) -> None:
        self._breaker = breaker
        self._operation = operation

    def __enter__(self) -> None:
        breaker = self._breaker
        self._started = breaker.now()
        if breaker.failures:
            breaker.let_pass(self._started)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        breaker = self._breaker
        if error is not None:
            breaker.failed(error)
            return
        if breaker.failures:
            breaker.close()
        if breaker.observe:
            breaker.observe(breaker.name, self._operation, breaker.now() - self._started)
