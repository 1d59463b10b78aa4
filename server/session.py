"""A signed-in socket, as this node sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from config.settings import Settings
from game import rooms
from handlers.base import Caller
from server.broadcast import NAMESPACE, Broadcast
from server.limits import Credits, Refusals

if TYPE_CHECKING:
    from server.transport import GameSocket
    from server.watchers import Watchers


class Session:
    """The caller's own connection (handlers.base.Connection), with its credits.

    After `ended`, joins and watches do nothing: a handler may still be running when its
    client leaves, and must not put back what the departure took away.
    """

    def __init__(
        self,
        sid: str,
        socket: GameSocket,
        caller: Caller,
        address: str,
        settings: Settings,
        manager: Broadcast,
        watchers: Watchers,
    ) -> None:
        self.sid = sid
        self.socket = socket
        self.caller = caller
        self.address = address
        self.seating = True  # until Redis has said that it has the seat
        self.ending = False  # announced to the client
        self.ended = False  # taken out of everything
        self.credits = Credits(settings.limits.events_per_second, settings.limits.events_burst)
        self.refusals = Refusals(settings.limits)
        self._manager = manager
        self._watchers = watchers

    @property
    def rooms(self) -> Collection[str]:
        """The rooms that the socket is in."""
        found: Collection[str] = self._manager.get_rooms(self.sid, NAMESPACE)
        return found

    def join(self, room: str) -> None:
        """Enter a room."""
        if not self.ended:
            self._manager.basic_enter_room(self.sid, NAMESPACE, room)

    def leave(self, room: str) -> None:
        """Leave a room."""
        self._manager.basic_leave_room(self.sid, NAMESPACE, room)

    def watch(self, player_ids: Iterable[str]) -> None:
        """Be told when the presence of these players changes."""
        if not self.ended:
            self._watchers.watch(self.sid, player_ids)

    def unwatch(self, player_ids: Iterable[str]) -> None:
        """Be told no more."""
        self._watchers.unwatch(self.sid, player_ids)

    def renew(self, caller: Caller) -> None:
        """Go on with a newer token of the same account."""
        self.leave(rooms.family(self.caller.family))
        self.caller = caller
        self.join(rooms.family(caller.family))

    def join_own_rooms(self) -> None:
        """Be reached as a player, as an account and as a sign-in."""
        self.join(rooms.player(self.caller.player_id))
        self.join(rooms.account(self.caller.account_id))
        self.join(rooms.family(self.caller.family))
        if self.caller.role == "admin":
            self.join(rooms.admins())
