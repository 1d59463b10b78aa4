"""Event credits and the count of refusals: per connection, in this process, without I/O."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from config.sections import Limits
from game.errors import RateLimited


class Credits:
    """A token bucket: `burst` at once, `per_second` on average."""

    __slots__ = ("_burst", "_left", "_now", "_per_second", "_then")

    def __init__(
        self, per_second: float, burst: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._left = float(burst)
        self._now = now
        self._then = now()

    def take(self) -> None:
        """Spend one.

        Raises:
            RateLimited: none is left; `retry_after` is exact.
        """
        now = self._now()
        left = self._left + (now - self._then) * self._per_second
        if left > self._burst:  # noqa: PLR1730 - min() takes as long as all the rest
            left = self._burst
        self._then = now
        if left < 1:
            self._left = left
            raise RateLimited(retry_after=(1 - left) / self._per_second)
        self._left = left - 1


class Requests:
    """Credits per account for REST calls to this node: the last `ACCOUNTS` callers are known."""

    ACCOUNTS = 10_000  # some 3 MB; who is forgotten has not called for long, or all call at once

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._credits: OrderedDict[str, Credits] = OrderedDict()

    def take(self, account_id: str) -> None:
        """Spend one.

        Raises:
            RateLimited: none is left.
        """
        credit = self._credits.get(account_id)
        if credit is None:
            credit = Credits(self._limits.requests_per_second, self._limits.requests_burst)
            self._credits[account_id] = credit
        self._credits.move_to_end(account_id)
        if len(self._credits) > self.ACCOUNTS:
            self._credits.popitem(last=False)
        credit.take()


class Refusals:
    """Counts refusals in a sliding window: who goes on regardless is cut off."""

    __slots__ = ("_now", "_times", "_window")

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        # The deque's bound is the limit: it is full when that many were refused.
        self._times: deque[float] = deque(maxlen=limits.abuse_refusals)
        self._window = limits.abuse_seconds
        self._now = now

    def add(self) -> bool:
        """Count one; True when the connection is to be ended."""
        now = self._now()
        self._times.append(now)
        return len(self._times) == self._times.maxlen and now - self._times[0] <= self._window
