"""The queue of those who wait for an opponent, and the pairs that were taken out of it.

| key | type | lifetime | owner |
| --- | --- | --- | --- |
| `{match}:queue` | zset player -> since, ms | while he waits | `leave`, `claim` |
| `{match}:away` | zset player -> when his place is given up, ms | grace | `waiting` |
| `{match}:ticket:<player>` | hash state, since, id, name, account, rating, stake, seq | a | a |
| `{match}:pairs` | zset duel -> when another node takes the pair over, ms | a | `finish` |
| `{match}:pair:<duel>` | hash first, second | until the duel begins or cannot | `finish` |
| `{match}:waits:<stake>` | list of the last waits, ms | an hour | TTL |

a: from `join` until `leave`, `finish`, or the end of the grace.

A ticket is `waiting`, `away` (his last connection is gone), or `claimed` (he is paired, and
his duel is about to begin). Pairs are chosen from a look at the queue and taken only if both
still wait with the same tickets, so one player is in one pair, whoever else chose him. A pair
whose node died is due after its lease; its id is that of the duel, so it begins once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from config.ladder import Match
from game.matchmaking import Bands, Blocked, Ticket, estimate, pairs
from state.connect import Argument, Question, RedisStore, Script
from state.ids import new_id
from state.live import Attendance

PREFIX = "{match}:"
QUEUE, AWAY, PAIRS = PREFIX + "queue", PREFIX + "away", PREFIX + "pairs"
TICKET = PREFIX + "ticket:"
LOOK = 200  # of the longest waiting, and as many others; pairing them takes milliseconds
LEASE_MS = 5_000  # a duel begins within milliseconds, or its node is in trouble
PAIRS_BATCH = 100
WAITS = 50  # the last ones, that estimates are made from
WAITS_SECONDS = 3_600  # older ones say nothing about now

JOIN, LEAVE, PRESENCE = Script("match_join"), Script("match_leave"), Script("match_presence")
WAITING, CLAIM, PAIR = Script("match_waiting"), Script("match_claim"), Script("match_pair")
FINISH, DUE = Script("match_finish"), Script("duel_due")

State: TypeAlias = Literal["", "waiting", "away", "claimed"]
Blocks: TypeAlias = Callable[[Iterable[str]], Awaitable[Blocked]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """That a player waits: since when (ms), for which stake, and how long that took others."""

    state: State
    since: int
    stake: int
    estimate: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two who are to fight; `id` will be their duel's."""

    id: str
    tickets: tuple[Ticket, Ticket]


class Matches:
    """The queue of all nodes."""

    def __init__(
        self, redis: RedisStore, settings: Match, observe: Callable[[float], None]
    ) -> None:
        """`observe` is told how many seconds somebody has waited for his duel."""
        self._redis = redis
        self._bands = Bands(settings.band, settings.band_growth)
        self._grace_ms = int(settings.grace_seconds * 1000)
        self._observe = observe

    async def join(self, ticket: Ticket, there: Attendance) -> Waiting:
        """Begin to wait; who waits already has the ticket that he has.

        Args:
            ticket: its id and since are made here.
            there: whether the player is connected, as it was known before.
        """
        # Who has just gone must not stay: the next look at him is news then.
        seq = there.seq if there.sockets else there.seq - 1
        args: list[Argument] = [ticket.player_id, new_id(), ticket.name, ticket.account_id]
        args += [ticket.rating, ticket.stake, seq]
        state, since, stake = await self._redis.run(JOIN, [QUEUE, _ticket(ticket.player_id)], args)
        return Waiting(state, since, stake, await self._estimate(stake))

    async def leave(self, player_id: str) -> State:
        """Wait no more; the state before. Who is `claimed` stays so: his duel begins."""
        keys = [QUEUE, AWAY, _ticket(player_id)]
        state: State = await self._redis.run(LEAVE, keys, [player_id])
        return state

    async def note_presence(self, player_id: str, sockets: int, seq: int) -> None:
        """A player came or went: if he waits, he keeps his place for the grace.

        Args:
            sockets: that he has, as of `seq`; what is not newer than known changes nothing.
        """
        keys = [QUEUE, AWAY, _ticket(player_id)]
        args: list[Argument] = [player_id, sockets, seq, self._grace_ms]
        await self._redis.run(PRESENCE, keys, args)

    def ask_ticket(self, player_id: str) -> Question:
        """What `waiting` is to be told, to be asked with others."""
        return Question(("HMGET", _ticket(player_id), "state", "since", "stake"), tuple)

    async def waiting(self, ticket: tuple[Any, Any, Any]) -> Waiting | None:
        """Whether he waits who has this ticket."""
        state, since, stake = ticket
        if not state:
            return None
        return Waiting(state, int(since), int(stake), await self._estimate(int(stake)))

    async def claim(self, blocks: Blocks) -> list[Pair]:
        """Pair those who may meet; who was paired is in no other pair.

        Args:
            blocks: which pairs among some players must not meet.
        """
        now, found = await self._redis.run(WAITING, [QUEUE, AWAY], [TICKET, LOOK])
        tickets = [_read(one) for one in found]
        if not pairs(tickets, now, self._bands):
            return []
        blocked = await blocks([ticket.player_id for ticket in tickets])
        chosen = [Pair(new_id(), two) for two in pairs(tickets, now, self._bands, blocked)]
        args: list[Argument] = [PREFIX, LEASE_MS]
        for pair in chosen:
            args.append(pair.id)
            for ticket in pair.tickets:
                args += [ticket.player_id, ticket.id]
        taken = await self._redis.run(CLAIM, [QUEUE, PAIRS], args) if chosen else []
        return [pair for pair in chosen if pair.id in taken]

    async def due(self) -> list[Pair]:
        """Pairs whose node did not come to an end with them, lent to this one."""
        ids = await self._redis.run(DUE, [PAIRS], [PAIRS_BATCH, LEASE_MS])
        found = []
        for pair_id in ids:
            tickets = await self._redis.run(PAIR, [_pair(pair_id)], [TICKET])
            if tickets:
                found.append(Pair(pair_id, (_read(tickets[0]), _read(tickets[1]))))
        return found

    async def finish(self, pair: Pair, *, fights: bool, back: Collection[str] = ()) -> None:
        """A pair's duel has begun, or cannot: who is not put `back` waits no more."""
        first, second = pair.tickets
        keys = [QUEUE, PAIRS, _pair(pair.id), _waits(first.stake)]
        args: list[Argument] = [PREFIX, pair.id, "1" if fights else "", WAITS, WAITS_SECONDS]
        args += [first.player_id, second.player_id, *back]
        for waited in await self._redis.run(FINISH, keys, args):
            self._observe(waited / 1000)

    async def count(self) -> int:
        """How many wait, on all nodes."""
        return int(await self._redis.call("ZCARD", QUEUE))

    async def _estimate(self, stake: int) -> int | None:
        waits = await self._redis.call("LRANGE", _waits(stake), 0, -1)
        return estimate([int(wait) for wait in waits])


def _read(fields: list[Any]) -> Ticket:
    player, id_, name, account, rating, stake, since = fields
    return Ticket(id_, player, name, account, int(rating), int(stake), int(since))


def _ticket(player_id: str) -> str:
    return TICKET + player_id


def _pair(pair_id: str) -> str:
    return f"{PREFIX}pair:{pair_id}"


def _waits(stake: int) -> str:
    return f"{PREFIX}waits:{stake}"
