"""Events of signed-in clients: from the packet to the handler, and back to the ack.

Every message goes through here, so this is written for speed: what is nearly always so is
looked at first and in place, nothing is looked up that can be known before, and whatever
waits for nothing has no task, timer or object of its own. docs/performance.md counts it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from config.sections import Limits
from game.disconnects import Disconnect
from game.errors import (
    GameError,
    MalformedPayload,
    RateLimited,
    TokenExpired,
    UnknownEvent,
)
from handlers.base import World
from handlers.registry import Catalogue, Command
from server import wire
from server.boundary import Boundary, error_object, new_request, request_id, valid
from server.broadcast import NAMESPACE, event_packet
from server.metrics import Metrics
from server.reception import Reception
from server.session import Session
from server.transport import GameSocket

ATTACHMENTS = 8  # of one binary event; none of ours has any

Control = Callable[[Session, str, wire.Head], Awaitable[None]]
"""Called with a packet that is no event of ours."""


class Event:
    """A command, and its entry in the boundary."""

    __slots__ = ("entry", "handler", "validate")

    def __init__(self, command: Command[Any], boundary: Boundary) -> None:
        self.validate = command.validate
        self.handler = command.handler
        self.entry = boundary.event(command.event, _success)


@dataclass(slots=True)
class Announced:
    """A binary event whose attachments are to come.

    None of ours takes any. So it is taken as it is: what stands there for binary data is an
    object where none fits, and does not validate.
    """

    packet: str
    head: wire.Head
    missing: int


class Dispatch:
    """Takes the packets of this node's sessions."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        boundary: Boundary,
        reception: Reception,
        world: World,
        limits: Limits,
        metrics: Metrics,
        control: Control,
    ) -> None:
        self._events = {one.event: Event(one, boundary) for one in catalogue.commands}
        self._boundary = boundary
        self._reception = reception
        self._bytes = limits.message_bytes
        self._surely = self._bytes // 4  # so many characters have no more bytes than that
        self._depth = limits.json_depth + 1  # in the array of the name and the argument
        self._metrics = metrics
        self._control = control
        self._now = world.now
        self._announced: dict[str, Announced] = {}  # by engine sid

    def packet(self, session: Session, packet: str) -> Awaitable[None]:
        """Take one packet of a client; what is to be awaited is the rest of it."""
        start = packet.find("[", 1, wire.EVENT_HEAD)
        digits = packet[1:start]
        if packet[:1] != "2" or start < 1 or (digits and not wire.is_number(digits)):
            return self._other(session, packet)
        ack_id = int(digits) if digits else None
        request = new_request()
        try:
            session.credits.take()
            if len(packet) > self._surely:
                wire.check_size(packet, self._bytes)
            name, argument = wire.event(packet, start, self._depth)
            event = self._asked(session, name)
        except GameError as error:
            self._refuse(session, ack_id, error, request)
            return _nothing()
        return self._run(session, event, argument, ack_id, request)

    def _asked(self, session: Session, name: str) -> Event:
        event = self._events.get(name)
        if event is None:
            raise UnknownEvent
        if session.caller.expires_at <= self._now():
            self._reception.end(session, Disconnect.TOKEN_EXPIRED)
            raise TokenExpired
        return event

    async def _run(
        self,
        session: Session,
        event: Event,
        argument: dict[str, Any],
        ack_id: int | None,
        request: int,
    ) -> None:
        answer = await self._boundary.run(
            event.entry, request, self._handle, session, event, argument
        )
        if isinstance(answer, GameError):
            self._answer_error(session.socket, ack_id, answer, request)
        elif ack_id is not None:
            session.socket.acknowledge(ack_id, answer)

    def _handle(self, session: Session, event: Event, argument: dict[str, Any]) -> Awaitable[Any]:
        return event.handler(valid(event.validate, argument), session.context)

    # What is rarely sent

    async def _other(self, session: Session, packet: str) -> None:
        """Take a packet that is no event, or is written in an unusual way."""
        request = new_request()
        head = wire.try_head(packet)
        try:
            session.credits.take()  # junk costs as much as anything else
            if head is None:
                raise MalformedPayload("This is not a Socket.IO packet.")
            wire.check_size(packet, self._bytes)
            if head.namespace != NAMESPACE or head.type not in (wire.EVENT, wire.BINARY_EVENT):
                return await self._control(session, packet, head)
            if head.type == wire.BINARY_EVENT:
                self._announce(session, packet, head)
            else:
                await self._event(session, packet, head, request)
        except GameError as error:
            self._refuse(session, head.ack_id if head else None, error, request)

    async def _event(self, session: Session, packet: str, head: wire.Head, request: int) -> None:
        name, argument = wire.event(packet, head.start, self._depth)
        await self._run(session, self._asked(session, name), argument, head.ack_id, request)

    def _announce(self, session: Session, packet: str, head: wire.Head) -> None:
        if not 0 < head.attachments <= ATTACHMENTS:
            raise MalformedPayload("A binary event has attachments, and few.")
        self._announced[session.socket.sid] = Announced(packet, head, head.attachments)

    async def attachment(self, session: Session, data: bytes) -> None:
        """Take the binary part of an event that was announced; any other is junk."""
        request = new_request()
        eio_sid = session.socket.sid
        announced = self._announced.get(eio_sid)
        try:
            session.credits.take()
            if announced is None or len(data) > self._bytes:
                raise MalformedPayload("No binary message was expected.")
            announced.missing -= 1
            if not announced.missing:
                del self._announced[eio_sid]
                await self._event(session, announced.packet, announced.head, request)
        except GameError as error:
            self._announced.pop(eio_sid, None)
            self._refuse(session, announced.head.ack_id if announced else None, error, request)

    def forget(self, socket: GameSocket) -> None:
        """A connection has ended."""
        self._announced.pop(socket.sid, None)

    # Refusals

    def _refuse(self, session: Session, ack_id: int | None, error: GameError, request: int) -> None:
        """Answer what no handler has seen; who is refused too often is cut off."""
        self._metrics.refusals.labels(error.code).inc()
        self._answer_error(session.socket, ack_id, error, request)
        if isinstance(error, RateLimited) and session.refusals.add():
            self._reception.end(session, Disconnect.ABUSE)

    @staticmethod
    def _answer_error(
        socket: GameSocket, ack_id: int | None, error: GameError, request: int
    ) -> None:
        shown = error_object(error, request_id(request))
        if ack_id is None:
            socket.post(event_packet("server:error", shown))
        else:
            socket.acknowledge(ack_id, orjson.dumps({"ok": False, "error": shown}))


async def _nothing() -> None:
    """What is left to do of a packet that was refused."""


def _success(reply: object) -> bytes:
    return orjson.dumps({"ok": True, "data": {} if reply is None else reply})
