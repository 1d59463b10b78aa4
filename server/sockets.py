"""Socket.IO: from a packet to the boundary and back.

Built on python-socketio's server for its engine, rooms and adapter; its own dispatch,
which makes a task per event and answers nothing when a handler raises, is replaced.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import orjson
import socketio

from config.sections import Limits
from game.disconnects import Disconnect, farewell
from game.errors import (
    GameError,
    Internal,
    MalformedPayload,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    TokenExpired,
    UnknownEvent,
)
from handlers.registry import Catalogue, Command
from server import wire
from server.boundary import Boundary, error_object, new_request_id, valid
from server.broadcast import NAMESPACE, Clients, event_packet
from server.engine import Engine
from server.http_address import Addresses
from server.metrics import Metrics
from server.packets import Message
from server.reception import Reception
from server.session import Session
from server.transport import CLOSE_SECONDS, GameSocket

ATTACHMENTS = 8  # of one binary event; none of ours has any


@dataclass(slots=True)
class Announced:
    """A binary event whose attachments are to come.

    None of ours takes any. So its body is left as it is: what stands there for binary
    data is an object where none fits, and does not validate.
    """

    body: Any
    ack_id: int | None
    missing: int


class SocketServer(socketio.AsyncServer):
    """All sockets of this node."""

    eio: Engine

    def __init__(
        self,
        *,
        limits: Limits,
        node: str,
        clients: Clients,
        catalogue: Catalogue,
        boundary: Boundary,
        reception: Reception,
        addresses: Addresses,
        metrics: Metrics,
        now: Callable[[], int],
    ) -> None:
        super().__init__(
            client_manager=clients,
            limits=limits,
            node=node,
            cors_allowed_origins=addresses.origin_allowed,
            logger=logging.getLogger("socketio"),
            engineio_logger=logging.getLogger("engineio"),
        )
        self.reception = reception
        self._seated = reception.seated
        self._limits = limits
        self._depth = limits.json_depth + 1  # in the array of the name and the argument
        self._commands = {command.event: command for command in catalogue.commands}
        self._boundary = boundary
        self._metrics = metrics
        self._now = now
        self._waiting: dict[str, asyncio.TimerHandle] = {}  # engine sids not signed in yet
        self._announced: dict[str, Announced] = {}  # by engine sid
        self.eio.on_message = self._on_message
        self.eio.on_disconnect = self._on_disconnect
        self.eio.on_overflow = self._on_overflow
        self.eio.admit = self._admit_handshake
        self.eio.address_of = addresses.of

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    # Handshake: a connection that has not said who it is

    def _admit_handshake(self, socket: GameSocket) -> bool:
        if self.reception.draining or len(self._waiting) >= self._limits.handshakes_per_node:
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

    def _on_message(self, socket: GameSocket, data: str | bytes) -> Coroutine[Any, Any, None]:
        # Of the right coroutine straight away: each one between costs every event a little.
        session = self._seated.get(socket)
        if session is None:
            return self._before_sign_in(socket, data)
        if isinstance(data, str):
            return self._packet(session, data)
        return self._attachment(session, data)

    async def _before_sign_in(self, socket: GameSocket, data: str | bytes) -> None:
        """Only CONNECT is listened to; anything else ends the connection, as on Node."""
        head = wire.try_head(data) if isinstance(data, str) else None
        if head is None or head.type != wire.CONNECT:
            await socket.close()
        elif head.namespace != NAMESPACE:
            self._refuse(socket, NotFound("Only the default namespace is served."), head.namespace)
        else:
            await self._connect(socket, str(data), head)

    def _packet(self, session: Session, packet: str) -> Coroutine[Any, Any, None]:
        """Take one packet of a signed-in client; what is to be awaited is the rest of it."""
        plain = wire.event_head(packet)
        if plain is None:
            return self._other_packet(session, packet)
        request_id = new_request_id()
        start, ack_id = plain
        try:
            session.credits.take()
            self._check_size(packet)
            body = wire.read_json(packet, start, self._depth)
            command, argument = self._asked(session, body)
        except GameError as error:
            self._refused(session, ack_id, error, request_id)
            return _nothing()
        return self._do(session, command, argument, ack_id, request_id)

    async def _other_packet(self, session: Session, packet: str) -> None:
        """Take a packet that is no event, or is written in an unusual way."""
        request_id = new_request_id()
        head = wire.try_head(packet)
        try:
            session.credits.take()  # junk costs as much as anything else
            if head is None:
                raise MalformedPayload("This is not a Socket.IO packet.")
            self._check_size(packet)
            if head.type == wire.EVENT and head.namespace == NAMESPACE:
                body = wire.read_json(packet, head.start, self._depth)
                event = self._event(session, body, head.ack_id, request_id)
            else:
                event = self._no_event(session, packet, head)
            await event
        except GameError as error:
            self._refused(session, head.ack_id if head else None, error, request_id)

    def _check_size(self, packet: str) -> None:
        limit = self._limits.message_bytes
        # Only a message near the limit is encoded to be measured.
        if len(packet) * 4 > limit and len(packet.encode()) > limit:
            raise PayloadTooLarge(f"A message may have {limit} bytes.")

    async def _no_event(self, session: Session, packet: str, head: wire.Head) -> None:
        if head.type == wire.DISCONNECT and head.namespace == NAMESPACE:
            await self.reception.leave(session, for_good=True)
            self._wait_for_sign_in(session.socket)
        elif head.type == wire.ACK and head.ack_id is not None:
            body = wire.read_json(packet, head.start, self._depth)
            await self._handle_ack(session.socket.sid, NAMESPACE, head.ack_id, body)
        elif head.type == wire.CONNECT and head.namespace != NAMESPACE:
            error = NotFound("Only the default namespace is served.")
            self._refuse(session.socket, error, head.namespace)
        elif head.type == wire.BINARY_EVENT and head.namespace == NAMESPACE and head.attachments:
            self._announce(session, packet, head)
        else:
            raise MalformedPayload("This packet was not expected here.")

    def _announce(self, session: Session, packet: str, head: wire.Head) -> None:
        if head.attachments > ATTACHMENTS:
            raise MalformedPayload("An event may have few attachments.")
        body = wire.read_json(packet, head.start, self._depth)
        self._announced[session.socket.sid] = Announced(body, head.ack_id, head.attachments)

    async def _attachment(self, session: Session, data: bytes) -> None:
        """The binary part of an event that was announced; any other is junk."""
        request_id = new_request_id()
        eio_sid = session.socket.sid
        announced = self._announced.get(eio_sid)
        try:
            session.credits.take()
            if announced is None or len(data) > self._limits.message_bytes:
                raise MalformedPayload("No binary message was expected.")
            announced.missing -= 1
            if not announced.missing:
                del self._announced[eio_sid]
                await self._event(session, announced.body, announced.ack_id, request_id)
        except GameError as error:
            self._announced.pop(eio_sid, None)
            self._refused(session, announced.ack_id if announced else None, error, request_id)

    # Events

    async def _event(
        self, session: Session, body: Any, ack_id: int | None, request_id: str
    ) -> None:
        command, argument = self._asked(session, body)
        await self._do(session, command, argument, ack_id, request_id)

    def _asked(self, session: Session, body: Any) -> tuple[Command[Any], dict[str, Any]]:
        name, argument = wire.event_arguments(body)
        command = self._commands.get(name)
        if command is None:
            raise UnknownEvent
        if session.caller.expires_at <= self._now():
            self.reception.end(session, Disconnect.TOKEN_EXPIRED)
            raise TokenExpired
        return command, argument

    async def _do(
        self,
        session: Session,
        command: Command[Any],
        argument: dict[str, Any],
        ack_id: int | None,
        request_id: str,
    ) -> None:
        def run() -> Awaitable[Any]:
            asked = valid(command.validate, argument)
            return command.handler(asked, self.reception.context(session, request_id))

        outcome = await self._boundary.guard(
            "event", command.event, request_id, run, shape=_success
        )
        if outcome.error:
            self._answer_error(session.socket, ack_id, outcome.error, request_id)
        elif ack_id is not None:
            session.socket.acknowledge(ack_id, outcome.value)

    def _refused(
        self, session: Session, ack_id: int | None, error: GameError, request_id: str
    ) -> None:
        """Answer what no handler has seen; who is refused too often is cut off."""
        self._metrics.refusals.labels(error.code).inc()
        self._answer_error(session.socket, ack_id, error, request_id)
        if isinstance(error, RateLimited) and session.refusals.add():
            self.reception.end(session, Disconnect.ABUSE)

    @staticmethod
    def _answer_error(
        socket: GameSocket, ack_id: int | None, error: GameError, request_id: str
    ) -> None:
        shown = error_object(error, request_id)
        if ack_id is None:
            socket.post(event_packet("server:error", shown))
        else:
            socket.acknowledge(ack_id, orjson.dumps({"ok": False, "error": shown}))

    # Sign-in

    async def _connect(self, socket: GameSocket, packet: str, head: wire.Head) -> None:
        request_id = new_request_id()
        socket.hold()

        async def run() -> list[Message]:
            self._check_size(packet)
            auth = None
            if packet[head.start :]:
                auth = wire.read_json(packet, head.start, self._limits.json_depth)
            return await self.reception.sign_in(socket, auth, request_id)

        outcome = await self._boundary.guard("hook", "connect", request_id, run)
        if outcome.error or socket.closed:
            await self.reception.take_back(socket, for_good=not socket.closed)
            socket.discard()
            self._refuse(socket, outcome.error or Internal(), NAMESPACE, request_id)
            return
        self._stop_waiting(socket.sid)
        socket.release(*outcome.value)

    @staticmethod
    def _refuse(
        socket: GameSocket, error: GameError, namespace: str, request_id: str | None = None
    ) -> None:
        """CONNECT_ERROR: the client's `connect_error`, with the error object as its data."""
        shown = error_object(error, request_id or new_request_id())
        body = orjson.dumps({"message": error.code, "data": shown}).decode()
        socket.post(Message("4" + ("" if namespace == NAMESPACE else namespace + ",") + body))

    # Departure

    async def _on_disconnect(self, socket: GameSocket) -> None:
        self._stop_waiting(socket.sid)
        self._announced.pop(socket.sid, None)
        if session := self._seated.get(socket):
            await self.reception.leave(session, for_good=False)

    def _on_overflow(self, socket: GameSocket) -> None:
        """A client that does not read: its memory is wanted back, now."""
        if socket.closing:
            return
        self._metrics.disconnects.labels(Disconnect.SLOW_CONSUMER.value).inc()
        socket.say_last(event_packet("server:disconnect", farewell(Disconnect.SLOW_CONSUMER)))
        self.eio.spawn(socket.close(abort=True))

    async def drain(self, seconds: float) -> None:
        """Send everybody away, then close what never signed in."""
        await self.reception.drain(seconds)
        for socket in list(self.eio.sockets.values()):
            await socket.close()
        await self.eio.wait_ended(CLOSE_SECONDS)


async def _nothing() -> None:
    """What is left to do of a packet that was refused."""


def _success(reply: object) -> bytes:
    return orjson.dumps({"ok": True, "data": {} if reply is None else reply})
