"""What the tests of duels' state share: players who do as they are told."""

from __future__ import annotations

import asyncio
from typing import Any

from config.settings import Settings
from game import duels as rules
from game.duels import Duel
from game.errors import GameError
from state.connect import RedisStore
from state.duels import DEADLINES, Duels, Step

SETTINGS = Settings()
SEED = "5eed" * 16
ANN, BOB, EVE = ("ann", "Ann"), ("bob", "Bob"), ("eve", "Eve")


async def now(redis: RedisStore) -> int:
    seconds, micros = await redis.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


class Game:
    """Offers and moves; what is due is moved in the sorted set, not waited for."""

    def __init__(self, redis: RedisStore, duels: Duels) -> None:
        self.redis = redis
        self.duels = duels

    async def offer(
        self, duel_id: str = "d1", by: tuple[str, str] = ANN, to: tuple[str, str] = BOB,
        key: str = "",
    ) -> Duel:  # fmt: skip
        duel = rules.challenge(duel_id, by, to, SEED, await now(self.redis), self.duels.rules)
        answer = {"offer": duel_id}
        assert await self.duels.create(duel, key or duel_id, [to[0]], answer) == answer
        return duel

    async def accept(self, duel_id: str = "d1", duels: Duels | None = None) -> Step:
        at = await now(self.redis)

        async def rule(duel: Duel) -> Duel:
            here = {fighter.id: True for fighter in duel.fighters}
            return rules.accept(duel, duel.fighters[1].id, here, at)

        return await (duels or self.duels).step(duel_id, rule)

    async def fight(self, duel_id: str = "d1") -> Duel:
        await self.offer(duel_id)
        return (await self.accept(duel_id)).after

    async def forfeit(self, duel_id: str = "d1", by: str = "ann") -> Step:
        at = await now(self.redis)

        async def rule(duel: Duel) -> Duel:
            return rules.forfeit(duel, by, at)

        return await self.duels.step(duel_id, rule)

    async def put_off(self, duel_id: str, ms: int) -> None:
        await self.redis.call("ZADD", DEADLINES, await now(self.redis) + ms, duel_id)

    async def keys(self) -> dict[str, int]:
        """What is there, and its time to live in seconds, -1 for none."""
        found = await self.redis.call("KEYS", "*")
        return {key: await self.redis.call("TTL", key) for key in found}


async def outcomes(*tries: Any) -> list[Any]:
    """What each came to: a value, or the class of the refusal."""
    found = await asyncio.gather(*tries, return_exceptions=True)
    unexpected = [one for one in found if isinstance(one, BaseException)]
    assert all(isinstance(one, GameError) for one in unexpected), unexpected
    return [type(one) if isinstance(one, GameError) else one for one in found]
