"""What every handler is made of: who asks, and the world within reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    NamedTuple,
    Protocol,
    TypeAlias,
)

from game.errors import Forbidden, Unauthenticated
from handlers.ports import Jobs, Provider, Schedules, Settlement

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
    from state.entrance import Entrance
    from state.friends import Friends
    from state.ladder import Ladder
    from state.ledger import Posting
    from state.live import Live
    from state.moderation import Moderation
    from state.operations import OperationsLog
    from state.outbound import Outbound
    from state.profiles import Profiles
    from state.rates import Rates
    from state.tokens import Tokens
    from state.upkeep import Upkeep

MODERATORS = frozenset({"moderator", "admin"})
OPERATORS = frozenset({"operator", "admin"})
ADMINS = frozenset({"admin"})


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
    def first(self) -> bool:
        """Whether the player had no other connection when this one came."""

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
    entrance: Entrance
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
    operations: OperationsLog
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
    settlement: Settlement | None = None
    """None takes no coins."""
    erasing: tuple[Erase, ...] = ()
    exporting: tuple[Export, ...] = ()
    """Of the catalogue, since the features must not know each other."""

    async def react(self, postings: Sequence[Posting]) -> None:
        """Run what follows from postings that were just made."""
        await self.reactions(self, postings)


Erase: TypeAlias = Callable[[World, str], Awaitable[None]]
Export: TypeAlias = Callable[[World, str], Awaitable[dict[str, list[dict[str, Any]]]]]


@dataclass(slots=True)
class Context:
    """Who asks, from where, and what he can reach: of a request, or of all events of a session."""

    world: World
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
