"""What every handler is made of: payloads, replies, the context, and how to register.

There is one way to register an event, a route, a connection hook or a background
task: the decorators below make a record of it, `handlers/catalogue.py` lists the
records, and the server's boundary wraps each of them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    NamedTuple,
    Protocol,
    TypeAlias,
    TypeVar,
)

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from typing_extensions import TypedDict

from game.economy import INT64_MAX
from game.errors import Forbidden, Unauthenticated
from handlers.ports import DeadLetter, Jobs, Provider, Schedules

if TYPE_CHECKING:
    from config.settings import Settings
    from game.connections import Connections
    from game.disconnects import Disconnect
    from handlers.ways import Ways
    from state.accounts import Accounts
    from state.archive import Archive
    from state.belongings import Belongings
    from state.chat import Chat
    from state.deletions import Deletions
    from state.duels import Duels
    from state.economy import Economy
    from state.friends import Friends
    from state.ladder import Ladder
    from state.ledger import Posting
    from state.live import Live
    from state.moderation import Moderation
    from state.outbound import Outbound
    from state.profiles import Profiles
    from state.rates import Rates
    from state.tokens import Tokens
    from state.upkeep import Upkeep

MODERATORS = frozenset({"moderator", "admin"})
OPERATORS = frozenset({"operator", "admin"})
ADMINS = frozenset({"admin"})

_IN_PATH = re.compile(r"{(\w+)}")


class Payload(BaseModel):
    """What a client sends: nothing missing, nothing extra, no type bent to fit."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Nothing(Payload):
    """`{}`."""


class Empty(TypedDict):
    """`{}`: done, and there is nothing to tell."""


class TaskPayload(Payload):
    """What a job is given; `task` names the one that does it."""

    task: ClassVar[str]


Id = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9-]+$")]
"""Of a player, an account or a duel."""
Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""An idempotency key, or a client's own id of a message."""
Amount = Annotated[int, Field(ge=1, le=INT64_MAX)]
"""Coins."""

P = TypeVar("P", bound=Payload)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a signed-in account, and for events the player that it plays as.

    `family` is the sign-in that the token descends from; `token_id` is its `jti`;
    `expires_at` and `muted_until`, by a moderator, are in milliseconds since the epoch.
    """

    account_id: str
    role: str
    family: str
    token_id: str
    expires_at: int
    player_id: str = ""
    name: str = ""
    muted_until: int = 0

    @property
    def moderates(self) -> bool:
        """Whether the caller may act on what others wrote."""
        return self.role in MODERATORS


class Connection(Protocol):
    """The caller's own socket on this node."""

    @property
    def sid(self) -> str:
        """The Socket.IO session id; a recovered session keeps it."""

    @property
    def connection(self) -> str:
        """The id of this very connection; after a reconnect it is another one."""

    @property
    def rooms(self) -> Collection[str]:
        """The rooms that the socket is in, with the prefixes of `rooms.py`."""

    async def join(self, room: str) -> None:
        """Enter a room: from now on what is published to it reaches this socket."""

    async def leave(self, room: str) -> None:
        """Leave a room."""

    async def watch(self, player_ids: Iterable[str]) -> None:
        """Be told when the presence of these players changes.

        Raises:
            Conflict: more players than one connection may watch.
        """

    async def unwatch(self, player_ids: Iterable[str]) -> None:
        """Be told no more."""

    def renew(self, caller: Caller) -> None:
        """Go on with a newer token of the same account."""


class Once(NamedTuple):
    """What tells an event from all others of its room, and since when (ms) it may have been
    published, by whoever: a repeated request, or another node.
    """

    key: str
    since: int


class Publisher(Protocol):
    """Reaches sockets on every node. Nothing here raises when Redis is away: what was
    stored is told as soon as Redis answers again, once and in its order.
    """

    async def emit(
        self,
        event: str,
        data: object,
        room: str,
        *,
        skip: str | None = None,
        volatile: bool = False,
        once: Once | None = None,
    ) -> None:
        """Send an event to everybody in a room, except the socket `skip`.

        A volatile one is not kept for those who are away for a moment. One that may have
        been sent before is sent `once`.
        """

    async def close(self, room: str, code: Disconnect) -> None:
        """Announce and end every connection in a room."""

    async def empty(self, room: str) -> None:
        """Take every socket out of a room."""

    async def rename(self, player_id: str, name: str) -> None:
        """Let every socket of a player speak by another name."""

    async def presence_changed(self, player_ids: Iterable[str]) -> None:
        """Tell the watchers of these players, soon and together with other changes."""

    async def connections(self, room: str | None, limit: int) -> Connections:
        """The connections in a room, or all: how many, and up to `limit` of them.

        Raises:
            DependencyUnavailable: nobody can be asked.
        """


@dataclass(frozen=True, slots=True)
class World:
    """What all handlers share; built once, in server/bootstrap.py."""

    settings: Settings
    now: Callable[[], int]
    """Milliseconds since the epoch, by Redis' clock, so that all nodes agree."""
    accounts: Accounts
    profiles: Profiles
    tokens: Tokens
    rates: Rates
    live: Live
    chat: Chat
    archive: Archive
    duels: Duels
    friends: Friends
    economy: Economy
    outbound: Outbound
    ways: Ways
    moderation: Moderation
    ladder: Ladder
    belongings: Belongings
    deletions: Deletions
    publisher: Publisher
    jobs: Jobs
    schedules: Schedules
    upkeep: Upkeep
    reactions: Callable[[World, Sequence[Posting]], Awaitable[None]]
    """handlers/reactions.py, which the handlers must not know."""
    provider: Provider | None = None
    """None sells nothing."""
    erasing: tuple[Erase, ...] = ()
    exporting: tuple[Export, ...] = ()
    """Of the catalogue, since the features must not know each other."""

    async def react(self, postings: Sequence[Posting]) -> None:
        """Run what follows from postings that were just made."""
        await self.reactions(self, postings)


Erase: TypeAlias = Callable[[World, str], Awaitable[None]]
Export: TypeAlias = Callable[[World, str], Awaitable[dict[str, list[dict[str, Any]]]]]


@dataclass(slots=True)  # made for every event: frozen costs a microsecond
class Context:
    """One request: who asks, from where, and what he can reach."""

    world: World
    request_id: str
    address: str
    signed_in: Caller | None = None
    connection: Connection | None = None

    @property
    def caller(self) -> Caller:
        """Who asks.

        Raises:
            Unauthenticated: nobody is signed in.
        """
        if self.signed_in is None:
            raise Unauthenticated
        return self.signed_in

    @property
    def player_id(self) -> str:
        """The player that asks."""
        return self.caller.player_id

    @property
    def socket(self) -> Connection:
        """The caller's socket; only events and hooks have one."""
        if self.connection is None:
            raise Unauthenticated
        return self.connection

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self.world.now()

    def only_moderators(self) -> None:
        """Let moderators pass.

        Raises:
            Forbidden: the caller is none.
        """
        if not self.caller.moderates:
            raise Forbidden


class Command(Generic[P]):
    """An event that clients may send; calling it runs the bare handler."""

    def __init__(
        self, event: str, payload: type[P], handler: Callable[[P, Context], Awaitable[Any]]
    ) -> None:
        self.event = event
        self.payload = payload
        self.handler = handler
        # Built once, not per event; the adapter's own method looks at eight options first.
        self.validate = TypeAdapter(payload).validator.validate_python
        self.__doc__ = handler.__doc__

    async def __call__(self, cmd: P, ctx: Context) -> Any:
        """Run the bare handler."""
        return await self.handler(cmd, ctx)


def command(
    event: str, payload: type[P]
) -> Callable[[Callable[[P, Context], Awaitable[Any]]], Command[P]]:
    """Make a handler of a client event; what it returns is the `data` of the ack."""
    return lambda handler: Command(event, payload, handler)


@dataclass(frozen=True, slots=True)
class Route(Generic[P]):
    """A REST call below /api/v1."""

    method: str
    path: str
    payload: type[P]
    handler: Callable[[P, Context], Awaitable[Any]]
    status: int
    signed_in: bool
    signature: str | None = None
    """The header that signs the body, of a webhook: it gets both as text, not as JSON."""
    roles: frozenset[str] = frozenset()
    """Who may call; empty: whoever is signed in."""
    large: bool = False
    """Whether its body may have LIMITS__BATCH_BODY_BYTES."""
    file: str | None = None
    """The name under which a browser saves the answer."""
    media: str = "application/json"
    """Of the answer; for any other than JSON the handler returns text."""

    @property
    def in_path(self) -> tuple[str, ...]:
        """The payload's fields that the path names."""
        return tuple(_IN_PATH.findall(self.path))

    async def __call__(self, cmd: P, ctx: Context) -> Any:
        """Run the bare handler."""
        return await self.handler(cmd, ctx)


def route(
    method: str,
    path: str,
    payload: type[P],
    *,
    status: int = 200,
    signed_in: bool = True,
    signature: str | None = None,
    roles: frozenset[str] = frozenset(),
    large: bool = False,
    file: str | None = None,
    media: str = "application/json",
) -> Callable[[Callable[[P, Context], Awaitable[Any]]], Route[P]]:
    """Make a handler of a REST call; what it returns is the answer's JSON body.

    A field of `payload` that stands in the path as `{field}` is read from there; the others
    from the body of POST, PUT and PATCH, else from the query. `Nothing` reads nothing. A
    field `key` may also come as the header `Idempotency-Key`.
    """
    return lambda handler: Route(
        method, path, payload, handler, status, signed_in, signature, roles, large, file, media
    )


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that every node does again and again, under the supervisor."""

    name: str
    seconds: Callable[[Settings], float]
    handler: Callable[[World], Awaitable[Any]]

    async def __call__(self, world: World) -> Any:
        """Do the work once."""
        return await self.handler(world)


def periodic(
    name: str, seconds: Callable[[Settings], float]
) -> Callable[[Callable[[World], Awaitable[Any]]], Periodic]:
    """Make a background task of a function; it runs, then waits, then runs again."""
    return lambda handler: Periodic(name, seconds, handler)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event that the server sends by itself, for the documents and those who read them.

    `data` is the type of its argument. One that is not `recovered` is not made up for after
    an absence.
    """

    name: str
    data: Any
    summary: str
    audience: str
    recovered: bool = True


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that is registered. Hooks run in their order."""

    commands: tuple[Command[Any], ...] = ()
    routes: tuple[Route[Any], ...] = ()
    events: tuple[ServerEvent, ...] = ()
    connected: tuple[Callable[[Context], Awaitable[dict[str, Any] | None]], ...] = ()
    """After a socket was accepted: what each returns goes into `session:ready`'s `resume`."""
    leaving: tuple[Callable[[World, str], Awaitable[None]], ...] = ()
    """When a socket is gone, with its connection's id; again, maybe, when that was cut short."""
    left: tuple[Callable[[World, Any], Awaitable[None]], ...] = ()
    """After its seat was given back, by its node or, after a crash, by another."""
    erasing: tuple[Erase, ...] = ()
    """When an account is deleted, for each of its players; again, maybe, when cut short."""
    exporting: tuple[Export, ...] = ()
    """What belongs to a player, by kind, for the file that he can ask for."""
    tasks: tuple[Periodic, ...] = ()
    dead_letters: tuple[Callable[[World, DeadLetter], Awaitable[None]], ...] = ()
    """After a job failed for good; a process that dies right then runs them not."""
