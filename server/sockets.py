"""Socket.IO: from a packet to the boundary and back.

Built on python-socketio's server for its engine; its own dispatch, which makes a task per
event and answers nothing when a handler raises, is replaced, and so are its rooms.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable

import orjson
import socketio

from config.sections import Limits
from game.disconnects import Disconnect, farewell
from game.errors import (
    GameError,
    Internal,
    MalformedPayload,
    NotFound,
)
from handlers.base import World
from handlers.registry import Catalogue
from server import wire
from server.boundary import (
    Boundary,
    Entry,
    error_object,
    new_request,
    new_request_id,
    request_id,
)
from server.broadcast import NAMESPACE, event_packet
from server.dispatch import Dispatch
from server.engine import Engine
from server.http_address import Addresses
from server.metrics import Metrics
from server.packets import Message
from server.patience import Patience
from server.reception import Reception
from server.session import Session
from server.transport import CLOSE_SECONDS, GameSocket


class SocketServer(socketio.AsyncServer):
    """All sockets of this node."""

    eio: Engine

    def __init__(
        self,
        *,
        limits: Limits,
        node: str,
        catalogue: Catalogue,
        boundary: Boundary,
        reception: Reception,
        addresses: Addresses,
        metrics: Metrics,
        world: World,
    ) -> None:
        super().__init__(
            limits=limits,
            node=node,
            cors_allowed_origins=addresses.origin_allowed,
            logger=logging.getLogger("socketio"),
            engineio_logger=logging.getLogger("engineio"),
        )
        self.reception = reception
        self._seated = reception.seated
        self._limits = limits
        self._boundary = boundary
        self._connecting = Entry("hook", "connect", metrics.tally("hook", "connect"))
        self._metrics = metrics
        # Not signed in yet.
        self._waiting: Patience[GameSocket] = Patience(limits.auth_seconds, self._give_up)
        self._dispatch = Dispatch(
            catalogue=catalogue,
            boundary=boundary,
            reception=reception,
            world=world,
            limits=limits,
            metrics=metrics,
            control=self._control,
        )
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
        self._waiting.add(socket)
        return True

    def _give_up(self, socket: GameSocket) -> None:
        self.eio.spawn(socket.close(reason=self.reason.SERVER_DISCONNECT))

    # Messages

    def _on_message(self, socket: GameSocket, data: str | bytes) -> Awaitable[None]:
        # Of the right coroutine straight away: each one between costs every event a little.
        session = self._seated.get(socket)
        if session is None:
            return self._before_sign_in(socket, data)
        if isinstance(data, str):
            return self._dispatch.packet(session, data)
        return self._dispatch.attachment(session, data)

    async def _before_sign_in(self, socket: GameSocket, data: str | bytes) -> None:
        """Only CONNECT is listened to; anything else ends the connection, as on Node."""
        if data[:2] == "0{":  # as nearly all say it
            await self._connect(socket, str(data), 1)
            return
        head = wire.try_head(data) if isinstance(data, str) else None
        if head is None or head.type != wire.CONNECT:
            await socket.close()
        elif head.namespace != NAMESPACE:
            self._refuse(socket, NotFound("Only the default namespace is served."), head.namespace)
        else:
            await self._connect(socket, str(data), head.start)

    async def _control(self, session: Session, packet: str, head: wire.Head) -> None:
        """Take a packet that is no event of ours."""
        if head.type == wire.DISCONNECT and head.namespace == NAMESPACE:
            await self.reception.leave(session, for_good=True)
            self._waiting.add(session.socket)
        elif head.type == wire.ACK and head.ack_id is not None:
            # Nobody asks a client for one, so it is nobody's; but it has to be one.
            wire.read_json(packet, head.start, self._limits.json_depth + 1)
        elif head.type == wire.CONNECT and head.namespace != NAMESPACE:
            error = NotFound("Only the default namespace is served.")
            self._refuse(session.socket, error, head.namespace)
        else:
            raise MalformedPayload("This packet was not expected here.")

    # Sign-in

    async def _connect(self, socket: GameSocket, packet: str, start: int) -> None:
        """Take a CONNECT of the default namespace; its JSON begins at `start`, if it has some."""
        request = new_request()
        socket.hold()
        first = await self._boundary.run(
            self._connecting, request, self._sign_in, socket, packet, start
        )
        if isinstance(first, GameError) or socket.closed:
            await self.reception.take_back(socket, for_good=not socket.closed)
            socket.discard()
            error = first if isinstance(first, GameError) else Internal()
            self._refuse(socket, error, NAMESPACE, request_id(request))
            return
        self._waiting.discard(socket)
        socket.release(*first)

    def _sign_in(self, socket: GameSocket, packet: str, start: int) -> Awaitable[list[Message]]:
        wire.check_size(packet, self._limits.message_bytes)
        auth = None
        if len(packet) > start:
            auth = wire.read_json(packet, start, self._limits.json_depth)
        return self.reception.sign_in(socket, auth)

    @staticmethod
    def _refuse(
        socket: GameSocket, error: GameError, namespace: str, shown_id: str | None = None
    ) -> None:
        """CONNECT_ERROR: the client's `connect_error`, with the error object as its data."""
        shown = error_object(error, shown_id or new_request_id())
        body = orjson.dumps({"message": error.code, "data": shown}).decode()
        socket.post(Message("4" + ("" if namespace == NAMESPACE else namespace + ",") + body))

    # Departure

    async def _on_disconnect(self, socket: GameSocket) -> None:
        self._waiting.discard(socket)
        self._dispatch.forget(socket)
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
