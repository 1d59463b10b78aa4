"""Socket.IO: from a packet to the boundary and back, sign-in and departure.

Built on python-socketio's server for its engine, rooms and adapter; its own dispatch,
which makes a task per event and answers nothing when a handler raises, is replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
import socketio

from config.logging import get_logger
from config.settings import Settings
from game.disconnects import Disconnect, farewell
from game.errors import (
    DependencyUnavailable,
    Draining,
    GameError,
    HandlerTimeout,
    Internal,
    MalformedPayload,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    ServerFull,
    TokenExpired,
    UnknownEvent,
)
from handlers.base import Catalogue, Context, World
from server import wire
from server.auth import Authenticator
from server.boundary import Boundary, Outcome, error_object, new_request_id, valid
from server.broadcast import NAMESPACE, Broadcast, event_packet
from server.http_address import Addresses
from server.metrics import Metrics
from server.session import Session
from server.transport import Engine, GameSocket, Message
from server.watchers import Watchers
from state.live import Seat

ATTACHMENTS = 8  # of one binary event; none of ours has any

log = get_logger(__name__)


class SocketServer(socketio.AsyncServer):
    """All sockets of this node."""

    eio: Engine

    def __init__(
        self,
        *,
        settings: Settings,
        world: World,
        catalogue: Catalogue,
        boundary: Boundary,
        manager: Broadcast,
        watchers: Watchers,
        authenticator: Authenticator,
        addresses: Addresses,
        metrics: Metrics,
        node: str,
    ) -> None:
        super().__init__(
            client_manager=manager,
            limits=settings.limits,
            node=node,
            cors_allowed_origins=addresses.origin_allowed,
        )
        self.draining = False
        self.sessions: dict[str, Session] = {}  # by sid
        self._settings = settings
        self._limits = settings.limits
        self._world = world
        self._commands = {command.event: command for command in catalogue.commands}
        self._catalogue = catalogue
        self._boundary = boundary
        self._watchers = watchers
        self._authenticator = authenticator
        self._addresses = addresses
        self._metrics = metrics
        self._waiting: dict[str, asyncio.TimerHandle] = {}  # engine sids not signed in yet
        self.eio.on_message = self._on_message
        self.eio.on_disconnect = self._on_disconnect
        self.eio.on_overflow = self._on_overflow
        self.eio.admit = self._admit_handshake

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    # Handshake: a connection that has not said who it is

    def _admit_handshake(self, socket: GameSocket) -> bool:
        if self.draining or len(self._waiting) >= self._limits.handshakes_per_node:
            self._metrics.refusals.labels("handshake").inc()
            return False
        self._wait_for_sign_in(socket)
        return True

    def _wait_for_sign_in(self, socket: GameSocket) -> None:
        def give_up() -> None:
            self.eio.spawn(socket.close(reason=self.reason.SERVER_DISCONNECT))

        loop = asyncio.get_running_loop()
        self._waiting[socket.sid] = loop.call_later(self._limits.auth_seconds, give_up)

    def _stop_waiting(self, eio_sid: str) -> None:
        timer = self._waiting.pop(eio_sid, None)
        if timer:
            timer.cancel()

    # Messages

    async def _on_message(self, eio_sid: str, data: str | bytes) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is None:
            return
        if socket.seat is None:
            await self._before_sign_in(socket, data)
        elif isinstance(data, str):
            await self._packet(socket.seat, data)
        else:
            await self._attachment(socket.seat, data)

    async def _before_sign_in(self, socket: GameSocket, data: str | bytes) -> None:
        """Only CONNECT is listened to; anything else ends the connection, as on Node."""
        try:
            head = wire.read_head(data) if isinstance(data, str) else None
        except MalformedPayload:
            head = None
        if head is None or head.type != wire.CONNECT:
            await socket.close()
        elif head.namespace != NAMESPACE:
            self._refuse(socket, NotFound("Only the default namespace is served."), head.namespace)
        else:
            await self._connect(socket, str(data), head)

    async def _packet(self, session: Session, packet: str) -> None:
        """Take one packet of a signed-in client."""
        request_id = new_request_id()
        head = None
        try:
            head = wire.read_head(packet)
            session.credits.take()
            self._check_size(packet)
            await self._take(session, packet, head, request_id)
        except GameError as error:
            self._refused(session, head.ack_id if head else None, error, request_id)

    def _check_size(self, packet: str) -> None:
        limit = self._limits.message_bytes
        # Only a message near the limit is encoded to be measured.
        if len(packet) > limit or (len(packet) * 4 > limit and len(packet.encode()) > limit):
            raise PayloadTooLarge(f"A message may have {limit} bytes.")

    async def _take(self, session: Session, packet: str, head: wire.Head, request_id: str) -> None:
        if head.type == wire.EVENT and head.namespace == NAMESPACE:
            body = wire.read_json(packet, head.start, self._limits.json_depth)
            await self._event(session, body, head.ack_id, request_id)
        elif head.type == wire.DISCONNECT:
            await self._end(session)
            self._wait_for_sign_in(session.socket)
        elif head.type == wire.ACK and head.ack_id is not None:
            body = wire.read_json(packet, head.start, self._limits.json_depth)
            await self._handle_ack(session.socket.sid, NAMESPACE, head.ack_id, body)
        elif head.type == wire.CONNECT and head.namespace != NAMESPACE:
            error = NotFound("Only the default namespace is served.")
            self._refuse(session.socket, error, head.namespace)
        elif head.type == wire.BINARY_EVENT and 0 < head.attachments <= ATTACHMENTS:
            self._binary_packet[session.socket.sid] = self.packet_class(encoded_packet=packet)
        else:
            raise MalformedPayload("This packet was not expected here.")

    async def _attachment(self, session: Session, data: bytes) -> None:
        """The binary part of an event that was announced; any other is junk."""
        request_id = new_request_id()
        eio_sid = session.socket.sid
        packet = self._binary_packet.get(eio_sid)
        try:
            session.credits.take()
            if packet is None or len(data) > self._limits.message_bytes:
                raise MalformedPayload("No binary message was expected.")
            if packet.add_attachment(data):
                del self._binary_packet[eio_sid]
                await self._event(session, packet.data, packet.id, request_id)
        except GameError as error:
            self._binary_packet.pop(eio_sid, None)
            self._refused(session, packet.id if packet else None, error, request_id)

    # Events

    async def _event(
        self, session: Session, body: Any, ack_id: int | None, request_id: str
    ) -> None:
        name, argument = wire.event_arguments(body)
        command = self._commands.get(name)
        if command is None:
            raise UnknownEvent
        if session.caller.expires_at <= self._world.now():
            self.end(session, Disconnect.TOKEN_EXPIRED)
            raise TokenExpired

        async def run() -> bytes:
            asked = valid(command.validate, argument)
            return _success(await command(asked, self._context(session, request_id)))

        outcome = await self._boundary.guard("event", name, request_id, run)
        if outcome.error:
            self._answer_error(session.socket, ack_id, outcome.error, request_id)
        elif ack_id is not None:
            _acknowledge(session.socket, ack_id, outcome.value)

    def _context(self, session: Session, request_id: str) -> Context:
        return Context(self._world, request_id, session.address, session.caller, session)

    def _refused(
        self, session: Session, ack_id: int | None, error: GameError, request_id: str
    ) -> None:
        """Answer what no handler has seen; who is refused too often is cut off."""
        self._metrics.refusals.labels(error.code).inc()
        self._answer_error(session.socket, ack_id, error, request_id)
        if isinstance(error, RateLimited) and session.refusals.add():
            self.end(session, Disconnect.ABUSE)

    @staticmethod
    def _answer_error(
        socket: GameSocket, ack_id: int | None, error: GameError, request_id: str
    ) -> None:
        shown = error_object(error, request_id)
        if ack_id is None:
            socket.post(event_packet("server:error", shown))
        else:
            _acknowledge(socket, ack_id, orjson.dumps({"ok": False, "error": shown}))

    # Sign-in

    async def _connect(self, socket: GameSocket, packet: str, head: wire.Head) -> None:
        request_id = new_request_id()
        socket.hold()

        async def run() -> tuple[str, Message]:
            self._check_room_for_one()
            self._check_size(packet)
            return await self._sign_in(socket, packet, head, request_id)

        outcome = await self._boundary.guard("hook", "connect", request_id, run)
        if outcome.error or socket.closed:
            await self._take_back(socket)
            socket.release()
            self._refuse(socket, outcome.error or Internal(), NAMESPACE, request_id)
            return
        self._stop_waiting(socket.sid)
        sid, ready = outcome.value
        socket.release(Message("0" + orjson.dumps({"sid": sid}).decode()), ready)

    def _check_room_for_one(self) -> None:
        if self.draining:
            raise Draining
        if len(self.sessions) >= self._limits.connections_per_node:
            raise ServerFull

    async def _sign_in(
        self, socket: GameSocket, packet: str, head: wire.Head, request_id: str
    ) -> tuple[str, Message]:
        auth = None
        if packet[head.start :]:
            auth = wire.read_json(packet, head.start, self._limits.json_depth)
        caller = await self._authenticator.connect(auth)
        sid = await self.manager.pre_connect(socket.sid, NAMESPACE)
        await self.manager.connect(sid, NAMESPACE)
        address = self._addresses.of(socket.request)
        session = Session(
            sid, socket, caller, address, self._settings, self.manager, self._watchers
        )
        socket.seat = session
        seat = Seat(sid, caller.player_id, caller.name, caller.account_id, address)
        self.sessions[sid] = session
        self._metrics.connections.set(len(self.sessions))
        await self._world.live.join(seat)
        session.seating = False
        session.join_own_rooms()
        return sid, await self._ready(session, request_id)

    async def _ready(self, session: Session, request_id: str) -> Message:
        """What a client needs to show the truth, recovered or not."""
        context = self._context(session, request_id)
        resume: dict[str, Any] = {"rooms": [], "duel": None, "muted_until": None}
        for hook in self._catalogue.connected:
            resume |= await hook(context) or {}
        caller = session.caller
        ready = {
            "player": {"id": caller.player_id, "name": caller.name, "role": caller.role},
            "session_id": session.sid,
            "recovered": False,
            "server_time": self._world.now(),
            "resume": resume,
        }
        return event_packet("session:ready", ready)

    async def _take_back(self, socket: GameSocket) -> None:
        if socket.seat:
            await self._end(socket.seat)

    @staticmethod
    def _refuse(
        socket: GameSocket, error: GameError, namespace: str, request_id: str | None = None
    ) -> None:
        """CONNECT_ERROR: the client's `connect_error`, with the error object as its data."""
        shown = error_object(error, request_id or new_request_id())
        body = orjson.dumps({"message": error.code, "data": shown}).decode()
        socket.post(Message("4" + ("" if namespace == NAMESPACE else namespace + ",") + body))

    # Departure

    async def _on_disconnect(self, eio_sid: str) -> None:
        self._stop_waiting(eio_sid)
        self._binary_packet.pop(eio_sid, None)
        socket = self.eio.sockets.get(eio_sid)
        if socket and socket.seat:
            await self._end(socket.seat)

    async def _end(self, session: Session) -> None:
        """Take a session out of everything; what follows from that is for the hooks."""
        if session.ended:
            return
        session.ended = True
        session.socket.seat = None
        self.sessions.pop(session.sid, None)
        self._metrics.connections.set(len(self.sessions))
        self._watchers.unwatch(session.sid)
        self.manager.basic_disconnect(session.sid, NAMESPACE)
        await self.departed(session.sid)

    async def departed(self, sid: str, *, node: str | None = None, at: int = 0) -> None:
        """Give back a seat of this node, or of a dead one, and tell whom it concerns.

        The seat comes last: as long as it is there, nodes.py finds it and does all this again.
        """
        request_id = new_request_id()
        for leaving in self._catalogue.leaving:
            outcome = await self._follow(leaving, sid, request_id)
            if isinstance(outcome.error, DependencyUnavailable | HandlerTimeout):
                return
        leave = partial(self._world.live.leave, sid, node=node, at=at)
        outcome = await self._boundary.guard("hook", "leave", request_id, leave)
        if outcome.value is None:  # somebody else did, or Redis is away
            return
        for left in self._catalogue.left:
            await self._follow(left, outcome.value, request_id)

    async def _follow(
        self, hook: Callable[[World, Any], Awaitable[None]], what: Any, request_id: str
    ) -> Outcome:
        return await self._boundary.guard(
            "hook", hook.__name__, request_id, lambda: hook(self._world, what)
        )

    def end(self, session: Session, code: Disconnect) -> None:
        """Announce the end of a connection, and end it."""
        if session.ending:
            return
        session.ending = True
        self._metrics.disconnects.labels(code.value).inc()
        session.socket.post(event_packet("server:disconnect", farewell(code)))
        if not code.reconnect:
            session.socket.post(Message("1"))  # a stock client takes it as final
        self.eio.spawn(session.socket.close())

    def end_room(self, room: str, code: Disconnect) -> None:
        """End this node's connections in a room."""
        for sid, _ in list(self.manager.get_participants(NAMESPACE, room)):
            session = self.sessions.get(sid)
            if session:
                self.end(session, code)

    def send(self, sid: str, event: str, data: object) -> None:
        """Send an event to one socket of this node."""
        session = self.sessions.get(sid)
        if session:
            session.socket.post(event_packet(event, data))

    def _on_overflow(self, socket: GameSocket) -> None:
        """A client that does not read: its memory is wanted back, now."""
        self._metrics.disconnects.labels(Disconnect.SLOW_CONSUMER.value).inc()
        self.eio.spawn(socket.close(abort=True))

    async def drain(self, seconds: float) -> None:
        """Send everybody away, spread over a time, so that they do not all come back at once."""
        self.draining = True
        sessions = list(self.sessions.values())
        for session in sessions:
            self.end(session, Disconnect.DRAINING)
            await asyncio.sleep(seconds / len(sessions))
        for socket in list(self.eio.sockets.values()):
            await socket.close()


def _success(reply: object) -> bytes:
    return orjson.dumps({"ok": True, "data": {} if reply is None else reply})


def _acknowledge(socket: GameSocket, ack_id: int, envelope: bytes) -> None:
    socket.post(Message(f"3{ack_id}[{envelope.decode()}]"))
