"""What MongoDB said a while ago, kept in Redis until it is about to change.

| key | type | TTL | owner |
| --- | --- | --- | --- |
| `{auth}:account:<account>` | string, JSON: an account and its characters | a | its expiry |
| `{auth}:requests:<player>` | string, JSON: how many ask to be friends | a | its expiry |

a: `MONGO__COPY_SECONDS`, or that of one of the two marks.

Who changes the original spoils the copy first, within the transaction: a mark, longer-lived
than any transaction, stands where the copy was, so until then nobody keeps what he reads.
Who finds no copy leaves a mark of his own, reads the original, and replaces his mark and no
other: a change in between has taken it away. Who makes a newer copy does the same, with his
mark in the place of the old one. So a copy that is found says what MongoDB says
at that moment, whoever was killed or stood still, and wherever. Only a Redis that lost its
newest writes (a failover) may still have one that was spoiled, until it expires.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson

from game.errors import DependencyUnavailable
from state.connect import Argument, RedisStore, Script
from state.ids import new_id

SPOILED_SECONDS = 120  # MongoDB and SecantusDB end a transaction after 60
READING_SECONDS = 10  # a reader that takes longer keeps nothing

SPOILED, READING = "!", "?"  # how marks begin; JSON does not

MARK, KEEP = Script("copy_mark"), Script("copy_keep")


class Copies:
    """The copies. All methods but `renew` raise DependencyUnavailable without Redis.

    Args:
        seconds: after which what Redis keeps is not believed any more.
    """

    def __init__(self, redis: RedisStore, seconds: int) -> None:
        self._redis = redis
        self._seconds = seconds

    async def use(self, found: str | None, name: str, read: Callable[[], Awaitable[Any]]) -> Any:
        """The copy that was found at `key_of(name)`, or what `read` says, of which one is made
        then: something for JSON.
        """
        if found is not None:
            if found[0] in (SPOILED, READING):  # or it is being read by somebody else
                return await read()
            return orjson.loads(found)
        mark = READING + new_id()
        key = key_of(name)
        marked = await self._redis.call("SET", key, mark, "NX", "EX", READING_SECONDS)
        value = await read()
        if marked:
            await self._keep(key, mark, value)
        return value

    async def renew(self, name: str, read: Callable[[], Awaitable[Any]]) -> Any:
        """What `read` says, of which a copy is made that lasts from now on.

        It is for later: without Redis there is none, and nothing else is missing.
        """
        mark = READING + new_id()
        key = key_of(name)
        marked = False
        with suppress(DependencyUnavailable):
            args: list[Argument] = [mark, READING_SECONDS, SPOILED, READING]
            marked = bool(await self._redis.run(MARK, [key], args))
        value = await read()
        if marked:
            with suppress(DependencyUnavailable):
                await self._keep(key, mark, value)
        return value

    async def _keep(self, key: str, mark: str, value: Any) -> None:
        await self._redis.run(KEEP, [key], [mark, orjson.dumps(value), self._seconds])

    async def begin(self, values: dict[str, Any]) -> None:
        """Make copies, by name, of what is new and known to nobody else yet."""
        keep = "NX", "EX", self._seconds
        commands = [
            ("SET", key_of(name), orjson.dumps(value), *keep) for name, value in values.items()
        ]
        await self._redis.batch(commands)

    async def spoil(self, name: str) -> None:
        """Say, within a transaction, that it is about to change what this is a copy of."""
        await self._redis.call("SET", key_of(name), SPOILED, "EX", SPOILED_SECONDS)


def of_account(account_id: str) -> str:
    """The name of what is kept of an account."""
    return f"account:{account_id}"


def of_requests(player_id: str) -> str:
    """The name of how many ask a player to be friends."""
    return f"requests:{player_id}"


def key_of(name: str) -> str:
    """Where a copy is kept: beside the marks of revoked sign-ins, to be read with them."""
    return f"{{auth}}:{name}"
