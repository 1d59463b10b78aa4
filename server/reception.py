"""Who comes and who goes: sign-in, taking a session up again, departure, farewell."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias, cast

import orjson
from typing_extensions import TypedDict

from config.logging import get_logger
from config.settings import Settings
from game import rooms
from game.disconnects import Disconnect, farewell
from game.errors import DependencyUnavailable, Draining, HandlerTimeout, ServerFull
from handlers.base import Caller, Context, World
from handlers.registry import Catalogue
from handlers.session import Resume, SessionReady
from server.auth import Authenticator
from server.boundary import Boundary, Outcome, new_request_id
from server.broadcast import RoomPublisher, event_packet
from server.metrics import Metrics
from server.packets import Message
from server.session import Places, Session
from server.transport import GameSocket
from state.connect import Question
from state.live import Seat
from state.recovery import Event, Taken, new_pid

Step: TypeAlias = "partial[Any]"

PID_CHARS = 64  # ours have 32; an offset has some 25
# At once: when ten thousand leave together, those who come meanwhile shall not find all of their
# questions before them, and then a breaker that has opened.
DEPARTURES = 256

log = get_logger(__name__)


class Connected(TypedDict):
    """Connected: the session's id, and the one that a client goes on with after an absence."""

    sid: str
    pid: str


class Reception:
    """The sessions of this node."""

    def __init__(
        self,
        *,
        settings: Settings,
        world: World,
        catalogue: Catalogue,
        boundary: Boundary,
        places: Places,
        publisher: RoomPublisher,
        authenticator: Authenticator,
        metrics: Metrics,
        ask: Callable[[Sequence[Question]], Awaitable[list[Any]]],
    ) -> None:
        self.draining = False
        self.on_census: Callable[[dict[str, Any]], None]  # server/bootstrap.py sets it
        self.sessions: dict[str, Session] = {}  # by sid
        self.seated: dict[GameSocket, Session] = {}
        self._settings = settings
        self._world = world
        self._catalogue = catalogue
        self._boundary = boundary
        self._places = places
        self._publisher = publisher
        self._authenticator = authenticator
        self._metrics = metrics
        self._ask = ask
        self._departing = asyncio.Semaphore(DEPARTURES)

    # Coming

    async def sign_in(self, socket: GameSocket, auth: Any) -> list[Message]:
        """Let a socket in, to its former session if it can be taken up again; returns what
        it is sent first, in this order.

        Raises:
            GameError, ValidationError: refused; `take_back` undoes what was begun.
        """
        if self.draining:
            raise Draining
        if len(self.sessions) >= self._settings.limits.connections_per_node:
            raise ServerFull
        caller = await self._authenticator.connect(auth)
        taken = await self._claim(auth, caller, socket.sid)
        if taken:
            welcome = await self._take_up(socket, caller, taken, auth["pid"])
            if welcome:
                self._metrics.recoveries.labels("recovered").inc()
                return welcome
            await self.take_back(socket, for_good=True)
        elif "pid" in auth:
            self._metrics.recoveries.labels("refused").inc()
        return await self._begin(socket, caller)

    async def _begin(self, socket: GameSocket, caller: Caller) -> list[Message]:
        """A new session."""
        session = self._session(socket, caller, self._new_sid(socket), new_pid())
        own = [rooms.player(caller.player_id)]
        if caller.role == "admin":
            own.append(rooms.admins())
        session.approach(*own)
        await self._sit_down(session)
        if not session.ended:
            await self._places.adapter.open(*own)
        return [_connected(session), await self._ready(session, own)]

    async def _claim(self, auth: Any, caller: Caller, connection: str) -> Taken | None:
        pid, offset = auth.get("pid"), auth.get("offset")
        if not isinstance(pid, str) or len(pid) > PID_CHARS:
            return None
        if offset is not None and (not isinstance(offset, str) or len(offset) > PID_CHARS):
            return None
        last_seen = self._world.live.last_seen
        return await self._places.recovery.claim(
            pid, offset, caller.player_id, connection, last_seen
        )

    async def _take_up(
        self, socket: GameSocket, caller: Caller, taken: Taken, pid: str
    ) -> list[Message] | None:
        """The former session, with what it missed; None if something of that is lost."""
        await self._clear(taken)
        session = self._session(socket, caller, taken.sid, pid)
        await self._sit_down(session)
        await session.enter(*taken.rooms)
        session.see(taken.watched)
        missed = await self._places.recovery.since(taken.rooms, taken.proven)
        if not missed.complete or missed.epoch != taken.epoch:
            return None
        socket.after = missed.last  # what is heard live goes on from here
        await self._rejoin_chat(session, taken)
        mine = [event for event in missed.events if event.skip != session.sid]
        ready = await self._ready(session)
        return [_connected(session), *map(_message, mine), ready]

    async def _clear(self, taken: Taken) -> None:
        """Whoever still has the session's former socket, here or elsewhere, drops it."""
        self.evict(taken.connection)
        await self._world.live.leave(taken.connection)
        await self._publisher.evict(taken.connection)

    async def _rejoin_chat(self, session: Session, taken: Taken) -> None:
        prefix = rooms.chat("")
        joined = [room.removeprefix(prefix) for room in taken.rooms if room.startswith(prefix)]
        join, player_id = self._world.chat.join, session.caller.player_id
        await asyncio.gather(*(join(session.connection, player_id, room) for room in joined))

    def _new_sid(self, socket: GameSocket) -> str:
        sid: str = socket.server.generate_id()
        return sid

    def _session(self, socket: GameSocket, caller: Caller, sid: str, pid: str) -> Session:
        session = Session(sid, pid, socket, caller, self._world, self._places)
        self.seated[socket] = self.sessions[sid] = session
        self._metrics.connected = len(self.sessions)
        return session

    async def _sit_down(self, session: Session) -> None:
        caller = session.caller
        seat = Seat(
            connection=session.connection,
            pid=session.pid,
            player_id=caller.player_id,
            name=caller.name,
            account_id=caller.account_id,
            address=session.address,
        )
        joined = await self._world.live.join(seat)
        session.seating, session.first = False, joined.sockets == 1
        session.enter_own()

    async def _ready(self, session: Session, new: Sequence[str] = ()) -> Message:
        """What a client needs to show the truth; `new` are the rooms of a session that begins."""
        context = Context(self._world, session.address, session.caller, session)
        joined = [] if new else _chat_rooms(session)
        resume: dict[str, Any] = {"rooms": joined, "duel": None, "muted_until": None}
        for hook in self._catalogue.connected:
            resume |= await hook(context) or {}
        shown = self._catalogue.shown
        questions = [one.ask(context) for one in shown]
        if new and not session.ended:  # else nobody would end its record
            answers = await self._ask([self._record(session, new), *questions])
            # What was heard before its beginning is told by what it is shown then.
            session.socket.after = answers.pop(0)
        else:
            answers = await self._ask(questions)
        for one, answer in zip(shown, answers, strict=True):
            resume |= await one.tell(context, answer)
        caller = session.caller
        ready = SessionReady(
            player={"id": caller.player_id, "name": caller.name, "role": caller.role},
            session_id=session.sid,
            recovered=not new,
            server_time=self._world.now(),
            resume=cast("Resume", resume),  # its hooks': tests hold what is sent to its type
        )
        return event_packet("session:ready", ready)

    def _record(self, session: Session, own: Sequence[str]) -> Question:
        """Its record begins, once it has a seat: by that its end is found, whoever dies."""
        return self._places.recovery.opening(
            session.pid, session.sid, session.connection, session.caller.player_id, own
        )

    async def take_back(self, socket: GameSocket, *, for_good: bool) -> None:
        """Undo a sign-in that was begun."""
        if session := self.seated.get(socket):
            await self.leave(session, for_good=for_good)

    # Going

    async def leave(self, session: Session, *, for_good: bool) -> None:
        """Take a session out of everything; what follows from that is for the hooks.

        `for_good`: it cannot be taken up again.
        """
        if not self._vanish(session):
            return
        if for_good:
            with contextlib.suppress(DependencyUnavailable):
                await self._places.recovery.forget(session.pid)
        await self.departed(session.connection, session.pid)

    def _vanish(self, session: Session) -> bool:
        if session.ended:
            return False
        session.vanish()
        self.seated.pop(session.socket, None)
        self.sessions.pop(session.sid, None)
        self._metrics.connected = len(self.sessions)
        return True

    def evict(self, connection: str) -> None:
        """The session of a connection goes on over another: drop the old one, say nothing."""
        for session in list(self.sessions.values()):
            if session.connection == connection and self._vanish(session):
                session.socket.server.spawn(session.socket.close(abort=True))

    async def departed(self, connection: str, pid: str, at: int | None = None) -> None:
        """Give back a seat of this node, or of a dead one, and tell whom it concerns.

        The seat comes last: as long as it is there, nodes.py finds it and does all this again.
        """
        when = self._world.now() if at is None else at
        async with self._departing:
            await self._depart(connection, pid, when)

    async def _depart(self, connection: str, pid: str, when: int) -> None:
        request_id = new_request_id()
        keep: Step = partial(self._places.recovery.left, pid, connection, when)
        hooks = [partial(one, self._world, connection) for one in self._catalogue.leaving]
        if not await self._all_done([keep, *hooks], request_id):
            return
        give_back: Step = partial(self._world.live.vacate, connection, at=when)
        outcome = await self._follow(give_back, request_id)
        if outcome.value is None:  # somebody else did, or Redis is away
            return
        hooks = [partial(one, self._world, outcome.value) for one in self._catalogue.left]
        if await self._all_done(hooks, request_id):
            await self._follow(partial(self._world.live.told, connection), request_id)

    async def _all_done(self, steps: Sequence[Step], request_id: str) -> bool:
        """Do one after the other; False if the stores were away for one."""
        for step in steps:
            outcome = await self._follow(step, request_id)
            if isinstance(outcome.error, DependencyUnavailable | HandlerTimeout):
                return False
        return True

    async def _follow(self, step: Step, request_id: str) -> Outcome:
        name = f"{step.func.__module__.rpartition('.')[2]}.{step.func.__name__}"
        return await self._boundary.guard("hook", name, request_id, step)

    def end(self, session: Session, code: Disconnect, *, for_good: bool = False) -> None:
        """Announce the end of a connection, and end it."""
        if session.ending:
            return
        session.ending = True
        self._metrics.disconnects.labels(code.value).inc()
        session.socket.post(event_packet("server:disconnect", farewell(code)))
        if not code.reconnect:
            session.socket.post(Message("1"))  # a stock client takes it as final
        if for_good:  # what comes now may follow a gap
            session.socket.after = sys.maxsize
        final = for_good or not code.reconnect
        session.socket.server.spawn(self._close(session, for_good=final))

    async def _close(self, session: Session, *, for_good: bool) -> None:
        await self.leave(session, for_good=for_good)
        await session.socket.close()

    def end_room(self, room: str, code: Disconnect) -> None:
        """End this node's connections in a room."""
        for sid in list(self._places.hub.members(room)):
            self.end(self.sessions[sid], code)

    def start_over(self, names: Iterable[str]) -> None:
        """Events of these rooms are lost: their clients come back, and are shown the truth."""
        for room in names:
            for sid in list(self._places.hub.members(room)):
                self.end(self.sessions[sid], Disconnect.DRAINING, for_good=True)

    def hear(self, message: dict[str, Any]) -> None:
        """Do with this node's sockets what another node, or this one, said to all."""
        match message:
            case {"do": "close", "room": room, "code": code}:
                self.end_room(room, Disconnect(code))
            case {"do": "empty", "room": room}:
                self._empty(room)
            case {"do": "rename", "room": room, "name": name}:
                for sid in self._places.hub.members(room):
                    session = self.sessions[sid]
                    session.speak_as(replace(session.caller, name=name))
            case {"do": "presence", "players": players}:
                self._places.watchers.changed(players)
            case {"do": "start over"}:
                self.start_over(self._places.hub.rooms)
            case {"do": "evict", "connection": connection}:
                self.evict(connection)
            case {"do": "count" | "counted"}:
                self.on_census(message)

    def _empty(self, room: str) -> None:
        for sid in list(self._places.hub.members(room)):
            if self._places.hub.drop(sid, room):
                self._places.adapter.close(room)

    def send(self, sid: str, event: str, data: object) -> None:
        """Send an event to one socket of this node."""
        session = self.sessions.get(sid)
        if session:
            session.socket.post(event_packet(event, data))

    async def drain(self, seconds: float) -> None:
        """Send everybody away, spread over a time, so that they do not all come back at once."""
        self.draining = True
        sessions = list(self.sessions.values())
        for session in sessions:
            self.end(session, Disconnect.DRAINING)
            await asyncio.sleep(seconds / len(sessions))


def _connected(session: Session) -> Message:
    """Socket.IO's CONNECT; a client that knows this `pid` takes itself for recovered."""
    return Message("0" + orjson.dumps(Connected(sid=session.sid, pid=session.pid)).decode())


def _message(event: Event) -> Message:
    return Message(event.packet, event.id)


def _chat_rooms(session: Session) -> list[str]:
    prefix = rooms.chat("")
    return sorted(room.removeprefix(prefix) for room in session.rooms if room.startswith(prefix))
