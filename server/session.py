"""A signed-in socket, as this node sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from game import rooms
from handlers.base import Caller, Context, World
from server.limits import Credits, Refusals
from state.recovery import Recovery, room_field, watch_field

if TYPE_CHECKING:
    from server.broadcast import Adapter, Hub
    from server.transport import GameSocket
    from server.watchers import Watchers


class Places:
    """Where the sockets of a node can be put: rooms, their channels, watched players."""

    def __init__(self, hub: Hub, adapter: Adapter, watchers: Watchers, recovery: Recovery) -> None:
        self.hub = hub
        self.adapter = adapter
        self.watchers = watchers
        self.recovery = recovery


class Session:
    """The caller's own connection (handlers.base.Connection), with its credits.

    After `ended`, joins and watches do nothing: a handler may still be running when its
    client leaves, and must not put back what the departure took away.
    """

    def __init__(
        self,
        sid: str,
        pid: str,
        socket: GameSocket,
        caller: Caller,
        world: World,
        places: Places,
    ) -> None:
        limits = world.settings.limits
        self.sid = sid
        self.pid = pid
        self.socket = socket
        self.address = socket.address
        self.seating = True  # until Redis has said that it has the seat
        self.first = False  # of its player's connections, when it was seated
        self.ending = False  # announced to the client
        self.ended = False  # taken out of everything
        self.credits = Credits(limits.events_per_second, limits.events_burst)
        self.refusals = Refusals(limits)
        self._world = world
        self._places = places
        self.speak_as(caller)

    def speak_as(self, caller: Caller) -> None:
        """Let all requests from now on be the caller's."""
        self.caller = caller
        # One for all of them. Without us once we have ended: it would keep us in memory.
        mine = None if self.ended else self
        self.context = Context(self._world, self.address, caller, mine)

    @property
    def connection(self) -> str:
        """The id of this very connection."""
        return self.socket.sid

    @property
    def rooms(self) -> Collection[str]:
        """The rooms that the socket is in."""
        return self._places.hub.rooms_of(self.sid)

    async def join(self, room: str) -> None:
        """Enter a room; returned, nothing that is published to it is missed."""
        # Noted first: what comes between the two is then found by a recovery.
        await self._places.recovery.note(self.pid, add=[room_field(room)])
        await self.enter(room)

    async def enter(self, *names: str) -> None:
        """Enter rooms that the session's record has already."""
        if not self.ended:
            self.approach(*names)
            await self._places.adapter.open(*names)

    def approach(self, *names: str) -> None:
        """Begin to enter rooms; what they are told is heard soon."""
        for room in names:
            self._places.hub.add(self.sid, self.socket, room)
            self._places.adapter.ask(room)

    async def leave(self, room: str) -> None:
        """Leave a room."""
        if self._places.hub.drop(self.sid, room):
            self._places.adapter.close(room)
        await self._places.recovery.note(self.pid, drop=[room_field(room)])

    async def watch(self, player_ids: Iterable[str]) -> None:
        """Be told when the presence of these players changes."""
        wanted = list(player_ids)
        self.see(wanted)
        await self._places.recovery.note(self.pid, add=list(map(watch_field, wanted)))

    def see(self, player_ids: Iterable[str]) -> None:
        """Watch players that the session's record has already."""
        if not self.ended:
            self._places.watchers.watch(self.sid, player_ids)

    async def unwatch(self, player_ids: Iterable[str]) -> None:
        """Be told no more."""
        dropped = list(player_ids)
        self._places.watchers.unwatch(self.sid, dropped)
        await self._places.recovery.note(self.pid, drop=list(map(watch_field, dropped)))

    def renew(self, caller: Caller) -> None:
        """Go on with a newer token of the same account."""
        former = self.caller
        self.speak_as(caller)
        if not self.ended:
            self._places.hub.drop(self.sid, rooms.family(former.family))
            self._places.hub.add(self.sid, self.socket, rooms.family(caller.family))

    def enter_own(self) -> None:
        """Be found as an account and as a sign-in: rooms that only nodes speak to."""
        hub, caller = self._places.hub, self.caller
        if self.ended:  # while Redis took its time
            return
        hub.add(self.sid, self.socket, rooms.account(caller.account_id))
        hub.add(self.sid, self.socket, rooms.family(caller.family))

    def vanish(self) -> None:
        """Be in no room, watch nobody."""
        self.ended = True
        self.speak_as(self.caller)
        self._places.watchers.unwatch(self.sid)
        for room in self._places.hub.forget(self.sid):
            self._places.adapter.close(room)
