"""Duels, whom they occupy, and when they are due: always changed in one step.

| key | type | lifetime | owner |
| --- | --- | --- | --- |
| `{duels}:duel:<id>` | hash version, state (JSON) | ended: `keep_seconds` | `save` |
| `{duels}:deadlines` | zset duel -> ms | while the duel is open | `save` |
| `{duels}:outbox` | zset duel -> ms | ended, what follows not done | `settled` |
| `{duels}:active` | set of duels that are fought | while they are | `save` |
| `{duels}:player:<player>` | duel that occupies him | while it is fought | `save` |
| `{duels}:offer:<player>` | duel that he offered | until it is answered; TTL | `save` |
| `{duels}:incoming:<player>` | zset duel -> expiry, ms | until answered; TTL | `save` |
| `{duels}:key:<player>:<key>` | hash body, answer | 7 days | TTL |
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import orjson

from config.settings import Settings
from game import duels as rules
from game.duels import Duel
from game.errors import AlreadyInDuel, Conflict, IdempotencyMismatch, NotFound, StaleVersion
from state.connect import Argument, Question, RedisStore, Script

PREFIX = "{duels}:"
DEADLINES, ACTIVE = PREFIX + "deadlines", PREFIX + "active"
OUTBOX = PREFIX + "outbox"
IDEMPOTENCY_SECONDS = 7 * 86_400
STRAY_MS = 3_600_000  # an offer that no node was there to end is gone then
LEASE_MS = 3_000  # a node that dies with a due duel delays it by this
BATCH = 100  # duels that one node takes at once
ATTEMPTS = 12  # two fighters, their connections and a clock do not race more often
PAUSE_SECONDS = 0.02  # at the most, between two of them

CREATE, SAVE = Script("duel_create"), Script("duel_save")
OPEN = Script("duel_open")
DUE, SCHEDULE = Script("duel_due"), Script("duel_schedule")
SETTLED, PREPARE = Script("duel_settled"), Script("duel_prepare")

Rule = Callable[[Duel], Awaitable[Duel]]


@dataclass(frozen=True, slots=True)
class Step:
    """What a step changed; the same object twice if it changed nothing."""

    before: Duel
    after: Duel

    @property
    def changed(self) -> bool:
        """Whether anything was saved."""
        return self.after is not self.before


def duel_of(player_id: str) -> str:
    """The key that says which duel occupies a player."""
    return f"{PREFIX}player:{player_id}"


class Duels:
    """The duels of all nodes."""

    def __init__(self, redis: RedisStore, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings.duels

    @property
    def rules(self) -> rules.Rules:
        """The numbers that new duels are offered under."""
        return rules.Rules(
            challenge_ms=int(self._settings.challenge_seconds * 1000),
            round_ms=int(self._settings.round_seconds * 1000),
            reconnect_ms=int(self._settings.reconnect_seconds * 1000),
        )

    async def create(self, duel: Duel, key: str, body: object, answer: Any) -> Any:
        """Keep a new challenge; returns `answer`, or the one that this key got before.

        Args:
            key: the challenger's idempotency key; `body` is what it stands for.

        Raises:
            IdempotencyMismatch: the key was used with another body.
            AlreadyInDuel: one of the two is fighting, or the challenger has offered one.
            Conflict: the opponent has too many open challenges.
        """
        challenger, opponent = (fighter.id for fighter in duel.fighters)
        keys = [_duel(duel.id), DEADLINES, _offer(challenger), duel_of(challenger)]
        keys += [duel_of(opponent), _incoming(opponent), f"{PREFIX}key:{challenger}:{key}"]
        known = sha256(orjson.dumps(body)).hexdigest()
        args: list[Argument] = [
            duel.id,
            _dump(duel),
            duel.deadline or 0,
            known,
            orjson.dumps(answer),
        ]
        args += [IDEMPOTENCY_SECONDS, self._settings.incoming, duel.rules.challenge_ms + STRAY_MS]
        outcome, *more = await self._redis.run(CREATE, keys, args)
        match outcome:
            case "seen":
                return orjson.loads(more[0])
            case "mismatch":
                raise IdempotencyMismatch
            case "busy" if more[0] == "you":
                raise AlreadyInDuel("You are in a duel, or have offered one.")
            case "busy":
                raise AlreadyInDuel("The opponent is in a duel.")
            case "crowded":
                raise Conflict("The opponent has too many open challenges.")
        return answer

    async def prepare(self, duel: Duel) -> None:
        """Keep a duel that nobody offered (a match), unless it is kept: begun, or expired."""
        args: list[Argument] = [duel.id, _dump(duel), duel.deadline or 0]
        await self._redis.run(PREPARE, [_duel(duel.id), DEADLINES], args)

    async def get(self, duel_id: str) -> Duel:
        """One duel.

        Raises:
            NotFound: there is none, or no more.
        """
        state = await self._redis.call("HGET", _duel(duel_id), "state")
        if state is None:
            raise NotFound("There is no such duel.")
        return _load(state)

    async def step(self, duel_id: str, rule: Rule) -> Step:
        """Read a duel, apply a rule, save what came of it; again if somebody was faster.

        Raises:
            AlreadyInDuel: the step would start a duel of a player who is in another.
            StaleVersion: somebody was faster every time.
        """
        for _ in range(ATTEMPTS):
            before = await self.get(duel_id)
            after = await rule(before)
            if after is before:
                return Step(before, before)
            after = replace(after, version=before.version + 1)  # one save, one version
            if await self._save(before, after):
                return Step(before, after)
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))  # noqa: S311 - spreads retries
        raise StaleVersion

    async def _save(self, before: Duel, after: Duel) -> bool:
        challenger, opponent = (fighter.id for fighter in after.fighters)
        keys = [_duel(after.id), DEADLINES, ACTIVE, duel_of(challenger), duel_of(opponent)]
        keys += [_offer(challenger), _incoming(opponent), OUTBOX]
        due = rules.next_deadline(after)
        args: list[Argument] = [
            after.id,
            before.version,
            after.version,
            _dump(after),
            _turn(before, after),
        ]
        args += ["" if due is None else due, self._settings.keep_seconds]
        # Something follows from a result, and from the end of what may have held stakes.
        args.append("1" if after.stake or after.status == "finished" else "")
        outcome, *more = await self._redis.run(SAVE, keys, args)
        if outcome == "busy":
            raise AlreadyInDuel(f"{after.fighters[int(more[0])].name} is in another duel.")
        return bool(outcome == "saved")

    async def active(self, player_id: str) -> str | None:
        """The duel that occupies a player."""
        found: str | None = await self._redis.call("GET", duel_of(player_id))
        return found

    async def open(self, player_id: str) -> Duel | None:
        """What a player should see first: his duel, his own offer, or the newest to him."""
        duel: Duel | None
        (duel,) = await self._redis.ask([self.ask_open(player_id)])
        return duel

    def ask_open(self, player_id: str) -> Question:
        """As `open`, to be asked with others."""
        keys = [duel_of(player_id), _offer(player_id), _incoming(player_id)]
        return Question.of(OPEN, keys, [_duel("")], lambda state: _load(state) if state else None)

    async def fighters(self, duel_id: str) -> tuple[str, str]:
        """The ids of the two.

        Raises:
            NotFound: there is no such duel.
        """
        first, second = (await self.get(duel_id)).fighters
        return first.id, second.id

    async def due(self) -> list[str]:
        """Duels whose time has come, lent to this node for a moment."""
        found: list[str] = await self._redis.run(DUE, [DEADLINES], [BATCH, LEASE_MS])
        return found

    async def schedule(self, duel_id: str, version: int, at: int | None) -> None:
        """Give a lent duel back, to be due at `at`, unless it was saved meanwhile."""
        args: list[Argument] = [duel_id, version, "" if at is None else at]
        await self._redis.run(SCHEDULE, [_duel(duel_id), DEADLINES], args)

    async def ended(self) -> list[Duel]:
        """Duels whose end something follows from, lent to this node for a moment."""
        found: list[str] = await self._redis.run(DUE, [OUTBOX], [BATCH, LEASE_MS])
        states = await self._redis.batch([("HGET", _duel(one), "state") for one in found])
        for duel_id, state in zip(found, states, strict=True):
            if state is None:  # lost: nobody can tell how it ended
                await self.settled(duel_id)
        return [_load(state) for state in states if state is not None]

    async def settled(self, duel_id: str) -> None:
        """What follows from the end of a duel is done."""
        args: list[Argument] = [duel_id, self._settings.keep_seconds]
        await self._redis.run(SETTLED, [_duel(duel_id), OUTBOX], args)

    async def counts(self) -> dict[str, int]:
        """Open duels by state, of all nodes."""
        commands = [("ZCARD", DEADLINES), ("SCARD", ACTIVE)]
        waiting, active = await self._redis.batch(commands)
        return {"challenged": max(0, waiting - active), "active": active}


def _turn(before: Duel, after: Duel) -> str:
    if after.status == "active":
        return "start" if before.status == "challenged" else "go"
    return "go" if after.status == "challenged" else "end"


def _dump(duel: Duel) -> bytes:
    return orjson.dumps(rules.to_dict(duel))


def _load(state: str) -> Duel:
    return rules.from_dict(orjson.loads(state))


def _duel(duel_id: str) -> str:
    return f"{PREFIX}duel:{duel_id}"


def _offer(player_id: str) -> str:
    return f"{PREFIX}offer:{player_id}"


def _incoming(player_id: str) -> str:
    return f"{PREFIX}incoming:{player_id}"
