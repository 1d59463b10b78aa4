"""Who is connected, where, and how he shows himself; and which nodes live.

Presence is derived from seats: a socket has a seat on a node, a node has a lease. A
crashed node's seats are taken away by the others, through the same script that a
socket's normal end runs, so nothing needs a refresh per player.

| key | type | lifetime | owner |
| --- | --- | --- | --- |
| `{live}:nodes` | zset node -> last beat, ms | while the node lives | its beat; `bury` |
| `{live}:gone` | set of nodes known to be dead | until buried | `declare_gone`; `bury` |
| `{live}:node:<node>` | hash connection -> seat (JSON), empty once left | until `told` | `leave` |
| `{live}:account:<id>`, `{live}:address:<address>` | count of seats | until 0 | `leave` |
| `{live}:player:<id>` | hash name, status, sockets, seq, seen, s:<connection> | 30 days on | TTL |
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson
from typing_extensions import TypedDict

from config.sections import Limits
from game.errors import TooManyConnections
from state.connect import RedisStore, Script
from state.duels import duel_of

KEEP_SECONDS = 30 * 86_400  # how long "last seen" is known
TELL_MS = 3_000  # for a departure to be told; it takes some ms, and may be told twice
PREFIX = "{live}:"
NODES = PREFIX + "nodes"
GONE = PREFIX + "gone"

Status = Literal["online", "away", "busy", "offline"]

JOIN, LEAVE, BEAT = Script("live_join"), Script("live_leave"), Script("live_beat")
DEAD, BURY = Script("live_dead"), Script("live_bury")
ATTENDANCE, SHOW = Script("live_attendance"), Script("live_show")
PRESENCE, RENAME = Script("live_presence"), Script("live_rename")


@dataclass(frozen=True, slots=True)
class Seat:
    """One signed-in socket, by its connection's id, which no other ever has again; `pid` is
    the private id of its session, which may go on over another connection.
    """

    connection: str
    pid: str
    player_id: str
    name: str
    account_id: str
    address: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The player's sockets after a join, and the sequence number of his presence."""

    sockets: int
    seq: int


@dataclass(frozen=True, slots=True)
class Left:
    """A socket that is gone; `sockets` is what the player still has, `at` when it went."""

    connection: str
    player_id: str
    account_id: str
    name: str
    sockets: int
    seq: int
    at: int


class PresenceView(TypedDict):
    """How a player shows himself; `last_seen` in ms, null when that is not known."""

    status: Status
    last_seen: int | None
    in_duel: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """How a player shows himself: online, away, busy or offline; times in ms."""

    name: str
    status: Status
    last_seen: int | None
    in_duel: bool

    @property
    def view(self) -> PresenceView:
        """What others see of him."""
        return PresenceView(status=self.status, last_seen=self.last_seen, in_duel=self.in_duel)


@dataclass(frozen=True, slots=True)
class Attendance:
    """Whether a player is connected. Times in ms, 0 if never: `alive_at` is the last beat
    of a node that he is on, `seen` when he last came or went.
    """

    sockets: int
    seq: int
    alive_at: int
    seen: int


class Clock:
    """Redis' time, told by the last beat and carried on by this machine's."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        return int(time.time() * 1000 + self._ahead)

    def set(self, now: int) -> None:
        """Redis said that it is `now`."""
        self._ahead = now - time.time() * 1000


class Live:
    """Seats, nodes and presence."""

    def __init__(self, redis: RedisStore, limits: Limits, node: str, lease_seconds: float) -> None:
        self.node = node
        self._redis = redis
        self._caps = limits.connections_per_account, limits.connections_per_address
        self._lease_ms = int(lease_seconds * 1000)

    async def join(self, seat: Seat) -> Joined:
        """Take a seat on this node.

        Raises:
            TooManyConnections: the account or the address has its share.
        """
        keys = [NODES, _node(self.node), _account(seat), _address(seat), _player(seat.player_id)]
        args = [
            self.node,
            seat.connection,
            seat.player_id,
            seat.name,
            seat.account_id,
            seat.address,
        ]
        args += [seat.pid]
        answer = await self._redis.run(JOIN, keys, [*args, *self._caps])
        if answer[0] != "ok":
            raise TooManyConnections(f"Too many connections from one {answer[0]}.")
        return Joined(answer[1], answer[2])

    async def vacate(self, connection: str, *, at: int = 0) -> Left | None:
        """Give a seat back, on whatever node; it stays, empty, until who is concerned was `told`.

        None if there is no seat, or somebody else is about to tell of it. He has `TELL_MS`:
        then he is taken for dead, or his answer for lost, and whoever asks next is to tell.
        """
        return await self._leave(connection, at, TELL_MS)

    async def told(self, connection: str) -> None:
        """Forget an empty seat."""
        await self._redis.call("HDEL", _node(node_of(connection)), connection)

    async def leave(self, connection: str, *, at: int = 0) -> Left | None:
        """Give a seat back of which nobody has to be told; None if somebody else did so."""
        return await self._leave(connection, at, 0)

    async def _leave(self, connection: str, at: int, tell_ms: int) -> Left | None:
        keys = [_node(node_of(connection))]
        answer = await self._redis.run(LEAVE, keys, [connection, at, PREFIX, KEEP_SECONDS, tell_ms])
        return Left(connection, *answer) if answer else None

    async def beat(self) -> tuple[int, int]:
        """Renew the node's lease: (Redis' time in ms, seats that Redis knows of)."""
        now, seats = await self._redis.run(BEAT, [NODES, _node(self.node)], [self.node])
        return now, seats

    async def last_seen(self, connection: str) -> int:
        """When (ms) the node of a connection lived, and with it the connection, as far as it
        knew; 0 if that is forgotten.
        """
        return int(await self._redis.call("ZSCORE", NODES, node_of(connection)) or 0)

    async def dead(self, *, by_lease: bool) -> list[tuple[str, int]]:
        """Nodes that died, with their last beat: known to be gone or, if asked for, late."""
        args = [self._lease_ms, "1" if by_lease else "0"]
        found: list[Any] = await self._redis.run(DEAD, [NODES, GONE], args)
        return [(node, beat) for node, beat in found]

    async def nodes(self) -> list[str]:
        """The nodes that live, or were not buried yet."""
        found: list[str] = await self._redis.call("ZRANGE", NODES, 0, -1)
        return found

    async def declare_gone(self, nodes: Sequence[str] | None = None) -> None:
        """Somebody who knows says so: these nodes, or all that ever beat, are dead."""
        gone = nodes if nodes is not None else await self.nodes()
        if gone:
            await self._redis.call("SADD", GONE, *gone)

    async def bury(self, node: str, beat: int) -> bool:
        """Forget a dead node once its seats are given back."""
        return bool(await self._redis.run(BURY, [NODES, GONE, _node(node)], [node, beat]))

    async def seats(self, node: str | None = None) -> dict[str, str]:
        """The seats on a node, this one by default, the empty ones too: connection -> pid."""
        found = await self._redis.call("HGETALL", _node(node or self.node))
        return {connection: _pid(orjson.loads(seat)) for connection, seat in found.items()}

    async def set_status(self, player_id: str, status: str) -> None:
        """Show a connected player as online, away or busy."""
        await self._redis.run(SHOW, [_player(player_id)], [status])

    async def rename(self, player_id: str, name: str) -> None:
        """Show a player by another name; one that nobody has seen is not made up."""
        await self._redis.run(RENAME, [_player(player_id)], [name])

    async def presence(self, player_ids: Sequence[str]) -> dict[str, Presence]:
        """How these players show themselves, in one round trip."""
        if not player_ids:
            return {}
        # Both leave in one write; each system's keys are in a slot of their own.
        records, duels = await asyncio.gather(
            self._redis.run(PRESENCE, list(map(_player, player_ids)), []),
            self._redis.call("MGET", *map(duel_of, player_ids)),
        )
        shown = zip(player_ids, records, duels, strict=True)
        return {player: _presence(record, duel) for player, record, duel in shown}

    async def attendance(self, player_id: str) -> Attendance:
        """Whether a player is really there."""
        return Attendance(*await self._redis.run(ATTENDANCE, [_player(player_id), NODES], []))


def node_of(connection: str) -> str:
    """The node that a connection's id was made on."""
    return connection.partition(".")[0]


def _pid(seat: Any) -> str:
    pid: str = seat["pid"] if isinstance(seat, dict) else seat[-1]
    return pid


def _presence(record: Sequence[Any], duel: str | None) -> Presence:
    name, status, sockets, seen = record
    shown = status if status and int(sockets or 0) > 0 else "offline"
    return Presence(
        name or "", cast("Status", shown), int(seen) if seen else None, duel is not None
    )


def _node(node: str) -> str:
    return f"{PREFIX}node:{node}"


def _account(seat: Seat) -> str:
    return f"{PREFIX}account:{seat.account_id}"


def _address(seat: Seat) -> str:
    return f"{PREFIX}address:{seat.address}"


def _player(player_id: str) -> str:
    return f"{PREFIX}player:{player_id}"
