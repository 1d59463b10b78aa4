"""Password hashes: argon2id, off the event loop, never many at once."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# The memory and passes of RFC 9106's second choice (section 4), on one core instead of
# four: the others have a game to serve.
HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)

# A hundred sign-ins at once would take 6 GiB and every core: they queue here instead, for
# 128 MiB a process. A pool and not a semaphore, because a cancelled caller's hash runs on
# in its thread and has to stay counted.
CONCURRENT = 2

T = TypeVar("T")


class Passwords:
    """Hashes and checks passwords, `CONCURRENT` at a time."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(CONCURRENT, thread_name_prefix="argon2")

    async def hash(self, password: str) -> str:
        """The text to store: parameters, salt and hash."""
        return await self._in_thread(lambda: HASHER.hash(_bytes(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored one.

        With nothing stored (an unknown name, a guest) it costs the same time, so that
        names cannot be found out with a watch.
        """
        if stored is None:
            await self.hash(password)
            return False
        return await self._in_thread(lambda: _matches(stored, password))

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return HASHER.check_needs_rehash(stored)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _matches(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False


def _bytes(password: str) -> bytes:
    # An é is one code point on one keyboard and two on another (RFC 8265, 4.2.2).
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
