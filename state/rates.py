"""How often one may try to get in, counted in Redis over all nodes.

| key | type | TTL | owner |
| --- | --- | --- | --- |
| `{auth}:calls:<what>:<hash>` | list of ms | the window: a minute or an hour | its expiry |
| `{auth}:logins:<hash>` | counter | the lock's seconds | its expiry, or a right password |

Addresses, names and sign-ins are hashed: bounded in length, and no personal data.
When Redis is away everything here refuses with `dependency_unavailable`.
"""

from __future__ import annotations

from hashlib import sha256

from config.settings import Settings
from game.errors import RateLimited
from state.connect import Argument, RedisStore, Script

MINUTE_MS = 60_000
HOUR_MS = 3_600_000

WINDOW = Script("rates_window")
ATTEMPT = Script("rates_attempt")


class Rates:
    """The limits of sign-ins."""

    def __init__(self, redis: RedisStore, settings: Settings) -> None:
        self._redis = redis
        self._per_minute = settings.limits.auth_per_minute
        self._reports = settings.limits.reports_per_hour
        self._failures = settings.auth.login_failures
        self._lock_ms = settings.auth.lock_seconds * 1000

    async def sign_in(self, address: str) -> None:
        """Count a sign-in or a new account of an address.

        Raises:
            RateLimited: as many as a minute allows were counted; this one was not.
            DependencyUnavailable: Redis did not answer.
        """
        await self._run(WINDOW, _key("calls:sign_in", address), self._per_minute, MINUTE_MS)

    async def refresh(self, family: str) -> None:
        """Count a use of a sign-in's refresh token, each of which is a write.

        Not by address: a school behind one comes back together after an outage.

        Raises:
            RateLimited: as many as a minute allows were counted; this one was not.
            DependencyUnavailable: Redis did not answer.
        """
        await self._run(WINDOW, _key("calls:refresh", family), self._per_minute, MINUTE_MS)

    async def report(self, player_id: str) -> None:
        """Count a report of a player, which a person has to read.

        Raises:
            RateLimited: as many as an hour allows were counted; this one was not.
            DependencyUnavailable: Redis did not answer.
        """
        await self._run(WINDOW, _key("calls:report", player_id), self._reports, HOUR_MS)

    async def attempt_login(self, username: str, address: str) -> None:
        """Count a password before it is checked, as if it were wrong.

        Counted afterwards, any number of parallel attempts would pass together.

        Raises:
            RateLimited: the pair is locked after too many wrong passwords.
            DependencyUnavailable: Redis did not answer.
        """
        await self._run(ATTEMPT, _logins(username, address), self._failures, self._lock_ms)

    async def login_succeeded(self, username: str, address: str) -> None:
        """Forget the pair's wrong passwords.

        Raises:
            DependencyUnavailable: Redis did not answer.
        """
        await self._redis.call("DEL", _logins(username, address))

    async def _run(self, script: Script, key: str, *args: Argument) -> None:
        wait_ms = await self._redis.run(script, [key], args)
        if wait_ms:
            raise RateLimited(retry_after=wait_ms / 1000)


def _logins(username: str, address: str) -> str:
    # An address has no space in it, so no two pairs share a key.
    return _key("logins", f"{address} {username.lower()}")


def _key(what: str, of: str) -> str:
    digest = sha256(of.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{{auth}}:{what}:{digest[:32]}"
