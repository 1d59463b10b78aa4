"""The log of recent events, and the sessions that can be taken up again.

Every event that a room is told gets an id that grows over all rooms, in the step that also
keeps and publishes it. A client that has the event with some id has every earlier one of
its rooms, since a node hears of them in their order; so one id says what it missed.

| key | type | lifetime | owner |
| --- | --- | --- | --- |
| `{log}:epoch` | random string | with the store: another one means another log | the log |
| `{log}:last` | the newest id | with the store | the log |
| `{log}:store` | the replication id of the primary that it was last seen on | with the store | the log |
| `{log}:room:<room>` | stream: p packet, s the sid left out, t token | `retention` | TTL |
| `{log}:once:<room>:<token>` | mark of an event that is published once | 30 s | TTL |
| `{log}:session:<pid>` | hash sid, connection, player, epoch, start, since, left, proven, r:<room>, w:<player> | the session, then the window | `left`, `forget`; TTL |

An id is the ms since the epoch by Redis' clock, times 1024, and a count in that ms.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from config.sections import Limits
from config.sections import Recovery as RecoverySettings
from state.connect import Argument, Question, RedisStore, Script

PREFIX = "{log}:"
LAST, EPOCH, STORE = PREFIX + "last", PREFIX + "epoch", PREFIX + "store"
NODES = "nodes"  # the room of all nodes: what each does with its own sockets
START_OVER = '{"do":"start over"}'  # to all nodes: events are lost, nobody goes on over that
NOBODY = "-"
IDS_PER_MS = 1_024
ONCE_MS = 30_000  # a client that was not answered has asked again by then
ROOMS_AT_ONCE = 100  # in one question to the log
SLACK_SECONDS = 15.0  # clocks, leases and a busy loop

PUBLISH, OPEN, CLAIM = Script("log_publish"), Script("log_open"), Script("log_claim")
SINCE, NOTE, LEAVE = Script("log_since"), Script("log_note"), Script("log_leave")
POSITION = Script("log_position")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the log: its id, the sid that is left out, the whole packet, its room."""

    id: int
    skip: str
    packet: str
    room: str


@dataclass(frozen=True, slots=True)
class Since:
    """What a log holds after an id; `complete` says that nothing after it is missing."""

    epoch: str
    last: int
    complete: bool
    events: list[Event]


@dataclass(frozen=True, slots=True)
class Taken:
    """A session taken up again: where it was, up to when (ms) it has everything for sure, and
    after which id it may have missed something, by room.
    """

    sid: str
    connection: str
    epoch: str
    proven: int
    rooms: dict[str, int]
    watched: list[str]


def channel(room: str) -> str:
    """Where a room's events are published."""
    return f"{PREFIX}{room}"


def new_token() -> str:
    """What tells one attempt to publish an event from another event with the same words."""
    return secrets.token_urlsafe(9)


def new_pid() -> str:
    """A session's private id: who has it and a token of its player may take it up."""
    return os.urandom(16).hex()


class Recovery:
    """The log and the sessions. All methods raise DependencyUnavailable without Redis."""

    def __init__(self, redis: RedisStore, settings: RecoverySettings, limits: Limits) -> None:
        self._redis = redis
        self._settings = settings
        # That this node knows of, with its room and epoch: a log without it has lost some.
        self._newest, self._room, self._epoch = 0, "", ""
        self._window_ms = int(settings.seconds * 1000)
        # An event older than a ping and its answer was received, or the ping would not
        # have been answered: what TCP delivers, it delivers in order.
        silence = limits.ping_seconds + limits.ping_timeout_seconds + SLACK_SECONDS
        self._silence_ms = int(silence * 1000)
        self._retention_ms = self._window_ms + self._silence_ms
        # First of all on each new line: perhaps it leads to a promoted replica.
        redis.greet(POSITION, self._position)

    # The log

    async def publish(
        self, room: str, packet: str, skip: str | None, token: str, since: int | None = None
    ) -> int:
        """Give an event its id, keep it, send it to whoever listens, in one round trip.

        Args:
            packet: a Socket.IO event packet without its closing bracket.
            token: the event's own.
            since: when (ms) it may first have been published; it is then published once.
        """
        keys = [LAST, EPOCH, _stream(room), f"{PREFIX}once:{room}:{token}"]
        kept, known = self._settings.events_per_room, self._newest
        args: list[Argument] = [channel(room), packet, skip or NOBODY, _epoch(), kept]
        args += [self._retention_ms, known, token, "" if since is None else since, ONCE_MS]
        args.append(self._redis.publish)
        epoch, _, number = (await self._redis.run(PUBLISH, keys, args)).partition("-")
        self.heard(int(number), room, epoch)
        return int(number)

    def heard(self, event_id: int, room: str, epoch: str) -> None:
        """There is an event with this id."""
        if event_id > self._newest:
            self._newest, self._room, self._epoch = event_id, room, epoch

    async def tell(self, room: str, text: str) -> None:
        """Publish what is no event."""
        await self._redis.call(self._redis.publish, channel(room), text)

    async def whisper(self, room: str, packet: str, skip: str, node: str) -> None:
        """Send an event that is not kept, which a node's own sockets have already."""
        text = f"0 {node}/{skip} {packet}"
        await self._redis.call(self._redis.publish, channel(room), text)

    async def since(self, rooms: Mapping[str, int], proven: int) -> Since:
        """What was published to these rooms, to each after the id given, in its order.

        Args:
            proven: up to when (ms) the one who asks has everything for sure; 0 if unknown.
        """
        epochs: set[str] = set()
        last, complete = 0, True
        events: list[Event] = []
        names = list(rooms)
        for start in range(0, len(names), ROOMS_AT_ONCE):
            some = names[start : start + ROOMS_AT_ONCE]
            free = self._settings.events_per_session - len(events)
            args = [proven * IDS_PER_MS, free, self._settings.events_per_room, self._retention_ms]
            keys = [LAST, EPOCH, *map(_stream, some)]
            answer = await self._redis.run(SINCE, keys, [*args, *(rooms[name] for name in some)])
            epochs.add(answer[0])
            last = last or int(answer[1])
            complete = complete and bool(answer[2])
            events += [Event(int(i), s, p, some[int(n)]) for i, s, p, n in answer[3]]
        # What came after the first answer is heard live, in all rooms alike.
        events = sorted((one for one in events if one.id <= last), key=lambda one: one.id)
        return Since("".join(epochs), last, complete and len(epochs) < 2, events)

    async def position(self) -> tuple[str, int]:
        """The log's epoch, which begins now if there is none, and its newest id."""
        epoch, last = await self._redis.run(POSITION, *self._position())
        return epoch, int(last)

    def _position(self) -> tuple[list[str], list[Argument]]:
        """The keys and the arguments."""
        args: list[Argument] = [_epoch(), self._newest, self._epoch, self._settings.events_per_room]
        args += [self._retention_ms, self._redis.publish, channel(NODES), START_OVER]
        return [LAST, EPOCH, STORE, _stream(self._room)], args

    async def begin_anew(self) -> None:
        """Events are lost for good: no session goes on over that."""
        await self._redis.call("SET", EPOCH, _epoch())

    # The sessions

    def opening(
        self, pid: str, sid: str, connection: str, player_id: str, rooms: Iterable[str]
    ) -> Question:
        """A new session, which has missed nothing yet, to be asked for with what it is shown;
        the id that its events come after.
        """
        keys = [_session(pid), LAST, EPOCH]
        return Question.of(OPEN, keys, [sid, connection, player_id, _epoch(), *rooms], int)

    async def claim(
        self,
        pid: str,
        offset: str | None,
        player_id: str,
        connection: str,
        last_seen: Callable[[str], Awaitable[int]],
    ) -> Taken | None:
        """Take a session up again; None if there is none, it is another's, or it is too late.

        Args:
            last_seen: when (ms) a connection was there, whose end nobody has noted yet.
        """
        epoch, _, last = (offset or "-").rpartition("-")
        if offset is not None and not (epoch and last.isdigit()):
            return None
        keys = [_session(pid), LAST, EPOCH]
        args: list[Argument] = [player_id, connection, epoch, last]
        args += [self._window_ms, self._silence_ms]
        answer = await self._redis.run(CLAIM, keys, [*args, ""])
        if isinstance(answer, str):
            answer = await self._redis.run(CLAIM, keys, [*args, await last_seen(answer)])
        return _taken(*answer) if answer else None

    async def note(self, pid: str, *, add: Sequence[str] = (), drop: Sequence[str] = ()) -> None:
        """Remember rooms (`room_field`) and watched players (`watch_field`) of a session."""
        args: list[Argument] = [len(add), *add, *drop]
        await self._redis.run(NOTE, [_session(pid), LAST], args)

    async def left(self, pid: str, connection: str, at: int) -> None:
        """A session's connection is gone; it can be taken up again for the window."""
        await self._redis.run(LEAVE, [_session(pid)], [connection, at, self._window_ms])

    async def forget(self, pid: str) -> None:
        """A session is over for good."""
        await self._redis.call("DEL", _session(pid))


def room_field(room: str) -> str:
    """How a session remembers a room."""
    return f"r:{room}"


def watch_field(player_id: str) -> str:
    """How a session remembers a player whose presence it watches."""
    return f"w:{player_id}"


def _taken(
    sid: str, connection: str, epoch: str, start: str, proven: int, fields: Sequence[str]
) -> Taken:
    kept = dict(zip(fields[::2], fields[1::2], strict=True))
    joined = {name[2:]: int(at) for name, at in kept.items() if name.startswith("r:")}
    return Taken(
        sid=sid,
        connection=connection,
        epoch=epoch,
        proven=proven,
        rooms={room: max(int(start), at) for room, at in joined.items()},
        watched=[name[2:] for name in kept if name.startswith("w:")],
    )


def _epoch() -> str:
    # Every event offers one, which is hardly ever taken: no secret, so no system call.
    return random.randbytes(4).hex()  # noqa: S311


def _stream(room: str) -> str:
    return f"{PREFIX}room:{room}"


def _session(pid: str) -> str:
    return f"{PREFIX}session:{pid}"
