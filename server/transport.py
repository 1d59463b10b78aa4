"""One client's Engine.IO socket: a plain reader, a writer without a task, pings by a timer.

python-engineio 4.15 makes a task and a `wait_for` for each message in, a queue and a task for what
goes out, a task for pings, and loses track of a client whose frame does not parse. What is
replaced here, and checked against 4.15.1 by tests/unit/test_seams.py: `AsyncSocket.send`, `poll`,
`close`, `schedule_ping`, `handle_get_request`, `handle_post_request` and `_upgrade_websocket`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import WSMsgType, web
from engineio import exceptions, packet
from engineio.async_socket import AsyncSocket

from config.logging import get_logger
from config.sections import Limits
from server.packets import Message, frame_of, from_base64, size_of
from server.websocket import (
    OVER,
    PONG_FRAME,
    TakenOver,
    WebSocket,
    close_frame,
    next_text,
    take_over,
    websocket_frame,
)

CLOSE_SECONDS = 2.0  # for the last frames of a connection that ends to be read
PACKETS_PER_POLL = 16  # python-engineio's client takes a body with more for junk, and hangs up
PACKETS_PER_BODY = 64  # in one polling request; the JavaScript client sends what has piled up
RECORD_SEPARATOR = "\x1e"
TEXT = WSMsgType.TEXT  # an enumeration's attribute is looked up slowly
# What reading a body comes to when its sender is gone, or does not send what he announced.
BROKEN_OFF = (asyncio.IncompleteReadError, web.RequestPayloadError, ConnectionError)

log = get_logger(__name__)


class Home(Protocol):
    """What a socket needs of the Engine.IO server that made it (server/engine.py)."""

    limits: Limits
    reason: Any
    sockets: dict[str, GameSocket]
    on_message: Callable[[GameSocket, str | bytes], Awaitable[None]]
    on_disconnect: Callable[[GameSocket], Awaitable[None]]
    on_overflow: Callable[[GameSocket], None]
    flush_soon: Callable[[GameSocket], None]  # when this turn of the loop is over
    spawn: Callable[[Any], None]  # a short coroutine that nobody waits for
    generate_id: Callable[[], str]
    _bad_request: Callable[[str], Any]


class GameSocket(AsyncSocket):
    """A client's connection, over WebSocket or long-polling."""

    server: Home
    sid: str
    upgrading: bool
    upgraded: bool
    closing: bool
    closed: bool

    def __init__(self, server: Home, sid: str, address: str) -> None:
        super().__init__(server, sid)
        self.address = address
        self.after = 0  # the log's id up to which the client has everything
        self._held: list[packet.Packet] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._out: list[bytes] = []
        self._behind = True  # whether much may wait; unknown before the first write
        self._mail: list[packet.Packet] = []  # what waits for a poll
        self._mail_bytes = 0
        self._polling = False  # whether one waits for packets
        self._mailed: asyncio.Future[None] | None = None  # what it waits for
        self._receiving: asyncio.Lock | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    # Out

    async def send(self, pkt: packet.Packet) -> None:
        """Send a packet; python-socketio's way in."""
        self.post(pkt)

    def post(self, pkt: packet.Packet) -> None:
        """Send a packet without waiting; what one turn of the loop posts leaves as one write."""
        if self.closed:
            return
        if self._held is not None:
            self._held.append(pkt)
            return
        if self._transport is None:
            self._keep(pkt)
            return
        self._write(frame_of(pkt))

    def _write(self, frame: bytes) -> None:
        if not self._out:
            self.server.flush_soon(self)
        self._out.append(frame)

    def acknowledge(self, ack_id: int, answer: bytes) -> None:
        """Send a Socket.IO ACK of the default namespace with one argument, some JSON."""
        if self._transport is None or self._held is not None:
            self.post(Message(f"3{ack_id}[{answer.decode()}]"))
        elif not self.closed:
            self._write(websocket_frame(b"43%d[%b]" % (ack_id, answer)))

    def offer(self, pkt: packet.Packet) -> bool:
        """Send what may be skipped, unless the client is behind; False if it was skipped."""
        if self._behind and self.waiting_bytes > self.server.limits.send_buffer_bytes // 2:
            return False
        self.post(pkt)
        return True

    def say_last(self, pkt: packet.Packet) -> None:
        """Drop what waits and leave one last packet, for a client that may yet poll for it.

        What waits on a WebSocket is in the kernel's and the transport's hands: nothing can
        be put before it, and it is not waited for.
        """
        self._mail.clear()
        self._mail_bytes = 0
        if self._transport is None:
            self._keep(pkt)

    def hold(self) -> None:
        """Keep what is posted back, until `release`: a sign-in is being prepared."""
        self._held = []

    def discard(self) -> None:
        """The sign-in came to nothing: what was held is nobody's."""
        self._held = None

    def release(self, *first: packet.Packet) -> None:
        """Post these, then what was held and is not among them."""
        held, self._held = self._held or [], None
        for pkt in first:
            self.post(pkt)
        for pkt in held:
            event_id = getattr(pkt, "event_id", 0)
            if not event_id or event_id > self.after:
                self.post(pkt)

    def _keep(self, pkt: packet.Packet) -> None:
        alone = not self._mail  # what is too large by itself is let through
        self._mail.append(pkt)
        self._mail_bytes += size_of(pkt)
        self._answer_poll()
        if self._mail_bytes > self.server.limits.send_buffer_bytes and not alone:
            self.server.on_overflow(self)

    def _take_mail(self, most: int | None = None) -> list[packet.Packet]:
        mail = self._mail[:most]
        del self._mail[:most]
        self._mail_bytes = sum(map(size_of, self._mail))
        return mail

    def _answer_poll(self) -> None:
        if self._mailed and not self._mailed.done():
            self._mailed.set_result(None)

    async def poll(self) -> list[packet.Packet]:
        """What waits for a polling client, as soon as there is something; nothing at the end."""
        if not self._mail and not self.closed:
            self._mailed = self._loop.create_future()
            await self._mailed
            self._mailed = None
        return self._take_mail(PACKETS_PER_POLL)

    def flush(self) -> None:
        """Write what was posted in this turn of the loop."""
        transport = self._transport
        data = b"".join(self._out)
        self._out.clear()
        # uvloop's write raises on a transport that was just closed.
        if transport is None or transport.is_closing() or not data:
            return
        most = self.server.limits.send_buffer_bytes
        waiting = transport.get_write_buffer_size() + len(data)
        self._behind = waiting > most // 2
        if waiting > most:
            self.server.on_overflow(self)
            return
        transport.write(data)

    @property
    def waiting_bytes(self) -> int:
        """What was sent and not yet taken by the client's kernel, or by its next poll."""
        if self._transport is None:
            return self._mail_bytes
        return self._transport.get_write_buffer_size()

    # In

    async def handle_get_request(self, environ: dict[str, Any]) -> Any:
        """A poll, or an upgrade; of two polls at once both end (Engine.IO v4, "Transports")."""
        if environ.get("HTTP_UPGRADE") or self.upgrading:
            return await super().handle_get_request(environ)
        if self._polling:
            await self.close()
            raise exceptions.UnknownPacketError
        self._polling = True
        try:
            return await super().handle_get_request(environ)
        finally:
            self._polling = False

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """A polling client's packets: one request at a time, so that their order holds."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > self.server.limits.frame_bytes:
            raise exceptions.ContentTooLongError
        try:
            body = await environ["wsgi.input"].readexactly(length)
            packets = body.decode().split(RECORD_SEPARATOR)
        except (*BROKEN_OFF, UnicodeDecodeError):
            raise exceptions.UnknownPacketError from None
        if len(packets) > PACKETS_PER_BODY:
            raise exceptions.ContentTooLongError
        self._receiving = self._receiving or asyncio.Lock()
        async with self._receiving:
            for text in packets:
                if not self.closed:
                    await self._receive(text)

    async def _receive(self, text: str) -> None:
        """Take one text packet: its first character is the type (Engine.IO v4, "Packet")."""
        match text[:1]:
            case "4":
                await self.server.on_message(self, text[1:])
            case "b":  # polling's binary message, in base64
                await self.server.on_message(self, from_base64(text))
            case "3":
                self.schedule_ping()
            case "1":
                self._end_poll()
                await self.close(abort=True, reason=self.server.reason.CLIENT_DISCONNECT)
            case "2" | "5" | "6":  # answered during an upgrade only
                pass
            case _:
                raise exceptions.UnknownPacketError

    async def _upgrade_websocket(self, environ: dict[str, Any]) -> Any:
        """Take a WebSocket over, at once or after the upgrade's hand-over."""
        if self.upgraded or self.upgrading:
            return self.server._bad_request("Upgraded already")  # noqa: SLF001 - stock's own answer
        try:
            # Compression is not offered: it costs more than it gives on small messages.
            ws, answer = take_over(environ["aiohttp.request"], self.server.limits.frame_bytes)
        except ConnectionError:
            return self.server._bad_request("Gone already")  # noqa: SLF001 - nobody reads it
        if self.connected:
            self.upgrading = True
            ws.write(answer)
            self.server.spawn(self._upgrade(ws))
        else:
            self.open(ws, answer)
        return TakenOver()

    def open(self, ws: WebSocket, answer: bytes) -> None:
        """Begin over WebSocket: what it is answered first and what was kept are one write."""
        self._write(answer)
        self._take_up(ws)
        self.server.spawn(self._serve(ws))

    async def _upgrade(self, ws: WebSocket) -> None:
        if await self._probe(ws):
            self._take_up(ws)
            await self._serve(ws)
        else:
            self.upgrading = False
            await ws.close(CLOSE_SECONDS)

    async def _probe(self, ws: WebSocket) -> bool:
        """The upgrade's hand-over: probe, answer, end of the open poll, upgrade."""
        try:
            async with asyncio.timeout(self.server.limits.ping_timeout_seconds):
                if await next_text(ws) != "2probe":
                    return False
                ws.write(websocket_frame(b"3probe"))
                self._end_poll()
                return await next_text(ws) == "5" and not self.closed
        except TimeoutError:
            return False

    def _end_poll(self) -> None:
        """Answer a poll that waits, with nothing to say."""
        if self._polling:
            self._keep(packet.Packet(packet.NOOP))

    def _take_up(self, ws: WebSocket) -> None:
        """From here on frames are written straight, after what was kept before."""
        self.connected = self.upgraded = True
        self.upgrading = False
        self._transport = ws.transport
        for pkt in self._take_mail():
            self.post(pkt)

    async def _serve(self, ws: WebSocket) -> None:
        """Read a WebSocket to its end, and see that it ends."""
        try:
            await self._read(ws)
        except exceptions.UnknownPacketError:
            log.info("junk_packet", sid=self.sid)
        except OVER as over:
            ws.write(close_frame(getattr(over, "code", 1000)))
        finally:
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
            ws.transport.abort()

    async def _read(self, ws: WebSocket) -> None:
        """Handle message after message; the next is not read before the last is done, so
        order holds and a client that floods is slowed by TCP. What comes after our goodbye
        is passed over, up to the client's.
        """
        on_message = self.server.on_message
        while True:
            kind, data, _ = await ws.read()
            if kind is TEXT:
                if self.closed:
                    continue
                if data[:1] == "4":  # nearly every one
                    await on_message(self, data[1:])
                else:
                    await self._receive(data)
            elif kind is WSMsgType.CLOSE:
                ws.write(close_frame())
                return
            elif self.closed:
                continue
            elif kind is WSMsgType.BINARY:
                await on_message(self, data)
            elif kind is WSMsgType.PING:
                ws.write(websocket_frame(data, PONG_FRAME))

    # Life

    def schedule_ping(self) -> None:
        """The client lives; ask again in a while."""
        self._set_timer(self.server.limits.ping_seconds, self._ping)

    def _ping(self) -> None:
        self.post(packet.Packet(packet.PING))
        self._set_timer(self.server.limits.ping_timeout_seconds, self._no_answer)

    def _no_answer(self) -> None:
        reason = self.server.reason.PING_TIMEOUT
        self.server.spawn(self.close(abort=True, reason=reason))

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None if self.closing else self._loop.call_later(seconds, callback)

    async def close(
        self,
        wait: bool = True,  # noqa: ARG002, FBT002 - stock's signature; we never wait for a client
        abort: bool = False,  # noqa: FBT002
        reason: str | None = None,
    ) -> None:
        """End the connection: tell the application once, then the client, then the kernel.

        `abort` leaves out the goodbye to a client that is known to be gone.
        """
        if self.closed or self.closing:
            return
        self.closing = True
        log.debug("closing", sid=self.sid, reason=reason)
        if self._timer:
            self._timer.cancel()
        try:
            await self.server.on_disconnect(self)
        finally:
            # A WebSocket has a goodbye of its own. After Engine.IO's, the stock Python client
            # would not connect again by itself; Node sends it over polling only, too.
            if not abort and self._transport is None:
                self.post(packet.Packet(packet.CLOSE))
            self.closed = True
            self._answer_poll()
            self.server.sockets.pop(self.sid, None)
            self._hang_up(abort=abort)

    def _hang_up(self, *, abort: bool) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if abort:
            transport.abort()
            return
        self._out.append(close_frame())
        self.flush()
        # A client that does not read its last frames must not keep them in memory.
        self._loop.call_later(CLOSE_SECONDS, transport.abort)
