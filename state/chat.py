"""Chat rooms in Redis: writing in them, who is in them, who may not speak.

| key | type | TTL | owner |
| --- | --- | --- | --- |
| `{chat}:sent:<player>:<client_id>` | string: `<entry> <JSON>` of the message | `dedupe_seconds` | its expiry |
| `{chat}:mute:<player>` | string: until when, in ms | until then | its expiry, `unmute` |
| `{chat}:rate:<player>` | list of ms: messages in the window | the window | its expiry |
| `{chat}:refusals:<player>` | list of ms: refusals in the minute | a minute | its expiry |
| `{chat}:ladder:<player>` | counter of mutes | the mute and `quiet_seconds` | its expiry, `unmute` |
| `{chat}:session:<connection>` | hash: room -> player | none | `leave_all`, at the session's end |
| `{chat}:members:<room>` | sorted set: players by the ms they joined | none | as the session |
| `{chat}:counts:<room>` | hash: player -> his sockets in the room | none | as the session |

The messages' own keys are in messages.py. Everything refuses with `dependency_unavailable`
when Redis does not answer.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import Settings
from game.chat import Author, ChatMessage
from game.errors import Conflict, DependencyUnavailable, Muted, RateLimited
from state import messages
from state.connect import Argument, Question, RedisStore, Script

SEND = Script("chat_send")
JOIN = Script("chat_join")
LEAVE = Script("chat_leave")

MINUTE_MS = 60_000
SHOWN_MEMBERS = 100  # of a room; protocol.md, chat:join


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was written: now, or the first time that its client_id came."""

    message: ChatMessage
    fresh: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that was not, and until when (in ms) that made its sender mute."""

    error: RateLimited
    muted_until: int | None


class Chat:
    """Rooms, their members, and the limits of who writes in them."""

    def __init__(self, redis: RedisStore, settings: Settings) -> None:
        self._redis = redis
        self._rooms = settings.limits.rooms_per_connection
        self._dedupe_ms = settings.chat.dedupe_seconds * 1000
        self._rules: tuple[Argument, ...] = (
            settings.limits.chat_messages,
            int(settings.limits.chat_window_seconds * 1000),
            settings.chat.mute_refusals,
            MINUTE_MS,
            settings.chat.quiet_seconds * 1000,
            settings.chat.buffer,
            *(seconds * 1000 for seconds in settings.chat.mute_seconds),
        )

    async def send(
        self, room: str, author: Author, text: str, client_id: str | None = None
    ) -> Sent | Refused:
        """Write a message, in one round trip.

        The same `client_id` of a player again gives his first message, whatever else has
        changed. Too many messages are refused, and too many refusals mute.

        Raises:
            Muted: the author is.
            DependencyUnavailable: Redis did not answer, or the room's messages wait for
                the archive and no more are taken.
        """
        keys = _send_keys(room, author["id"], client_id or "")
        dedupe_ms = 0 if client_id is None else self._dedupe_ms
        args = (room, messages.body(room, author, text), dedupe_ms, *self._rules)
        verdict, *rest = await self._redis.run(SEND, keys, args)
        if verdict in {"sent", "again"}:
            return Sent(messages.from_entry(*rest).message, verdict == "sent")
        return _refusal(verdict, *rest)

    async def muted_until(self, player_id: str) -> int | None:
        """Until when, in ms, a player may not speak."""
        until: int | None
        (until,) = await self._redis.ask([self.ask_mute(player_id)])
        return until

    def ask_mute(self, player_id: str) -> Question:
        """As `muted_until`, to be asked with others."""
        return Question(("GET", _of(player_id, "mute")), _until)

    async def mute(self, player_id: str, until: int) -> None:
        """Let a player not speak until then, in ms; the newest word counts."""
        await self._redis.call("SET", _of(player_id, "mute"), until, "PXAT", until)

    async def unmute(self, player_id: str) -> None:
        """Let a player speak again, and forget why he could not."""
        keys = (_of(player_id, kind) for kind in ("mute", "refusals", "ladder"))
        await self._redis.call("DEL", *keys)

    async def join(self, connection: str, player_id: str, room: str) -> None:
        """Let a socket enter a room; again, it stays.

        Raises:
            Conflict: it is in as many rooms as one may be.
        """
        keys = [_session(connection), *_member_keys(room)]
        if not await self._redis.run(JOIN, keys, [room, player_id, self._rooms]):
            raise Conflict(f"At most {self._rooms} rooms at a time.")

    async def leave(self, connection: str, *rooms: str) -> None:
        """Let a socket leave rooms; those that it is not in are passed over."""
        keys = [_session(connection), *(key for room in rooms for key in _member_keys(room))]
        await self._redis.run(LEAVE, keys, rooms)

    async def leave_all(self, connection: str) -> None:
        """Let a socket that is gone leave all its rooms."""
        rooms: Sequence[str] = await self._redis.call("HKEYS", _session(connection))
        if rooms:
            await self.leave(connection, *rooms)

    async def members(self, room: str) -> tuple[list[str], int]:
        """The players who joined first, at most 100, and how many there are."""
        key = _member_keys(room)[0]
        first, count = await self._redis.batch(
            [("ZRANGE", key, 0, SHOWN_MEMBERS - 1), ("ZCARD", key)]
        )
        return first, count


def _until(kept: str | None) -> int | None:
    return int(kept) if kept else None


def _refusal(verdict: str, wait_ms: int = 0, muted_until: int | None = None) -> Refused:
    if verdict == "muted":
        raise Muted(retry_after=wait_ms / 1000)
    if verdict == "full":
        raise DependencyUnavailable("The archive is away, and the room's buffer is full.")
    return Refused(RateLimited(retry_after=wait_ms / 1000), muted_until)


def _send_keys(room: str, player_id: str, client_id: str) -> list[str]:
    return [
        *messages.kept_together(room),
        messages.DIRTY,
        _of(f"{player_id}:{client_id}", "sent"),
        *(_of(player_id, kind) for kind in ("mute", "rate", "refusals", "ladder")),
    ]


def _of(player_id: str, kind: str) -> str:
    return f"{{chat}}:{kind}:{player_id}"


def _session(connection: str) -> str:
    return f"{{chat}}:session:{connection}"


def _member_keys(room: str) -> tuple[str, str]:
    return f"{{chat}}:members:{room}", f"{{chat}}:counts:{room}"
