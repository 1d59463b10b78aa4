"""A WebSocket that is no request any more: aiohttp reads its handshake, then lets go of it.

A `WebSocketResponse` keeps its request, the HTTP parser, two tasks and a stack of sixteen
coroutines for as long as it is open, and wakes all of them for each message: half of an
idle connection's memory, and several microseconds of every event. Here the transport gets
another protocol as soon as the handshake is read; of aiohttp there remains its compiled
frame reader, which also slows a client down that sends faster than it is served.

What this takes hold of, checked against aiohttp 3.14.5 by tests/unit/test_seams.py: of
RequestHandler `connection_lost`, `transport`, `_message_tail` and `_buffer_paused`; of the
frame reader its queue and what that calls of a protocol.
"""

from __future__ import annotations

import asyncio
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from aiohttp import EofStream, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.http_websocket import WS_KEY, WebSocketError

UNREAD_BYTES = 65_536  # of messages that wait for their turn; then reading is paused
NORMAL = 1000  # RFC 6455, 7.4.1
KEY_BYTES = 16

TEXT_FRAME = 0x81  # RFC 6455, 5.2: final fragment, text
BINARY_FRAME = 0x82
CLOSE_FRAME = 0x88
PONG_FRAME = 0x8A

# By opcode and size: nearly every answer is as short.
SHORT_HEADS = [[bytes((0x80 | opcode, size)) for size in range(126)] for opcode in range(16)]

# What reading comes to at the end of a connection, or of a client's sense.
OVER = (EofStream, WebSocketError)


def websocket_frame(payload: bytes, opcode: int = TEXT_FRAME) -> bytes:
    """A complete, unmasked server-to-client frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return SHORT_HEADS[opcode & 0xF][size] + payload
    if size < 65_536:
        return bytes((opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((opcode, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int = NORMAL) -> bytes:
    """The frame that says goodbye, and why."""
    return websocket_frame(code.to_bytes(2, "big"), CLOSE_FRAME)


class WebSocket(asyncio.Protocol):
    """An open WebSocket: `read` gives a message, `transport` takes finished frames.

    `_reading_paused`, `pause_reading` and `resume_reading` are the frame reader's.
    """

    __slots__ = ("_parser", "_queue", "_reading_paused", "read", "transport")

    def __init__(self, transport: asyncio.Transport, max_bytes: int) -> None:
        self.transport = transport
        self._reading_paused = False
        loop = asyncio.get_running_loop()
        self._queue = WebSocketDataQueue(self, UNREAD_BYTES, loop=loop)  # type: ignore[arg-type]
        self._parser = WebSocketReader(self._queue, max_bytes, compress=False, decode_text=True)
        self.read = self._queue.read  # raises one of OVER

    async def close(self, seconds: float) -> None:
        """Say goodbye, hear the client's if it comes in time, and hang up."""
        self.write(close_frame())
        try:
            async with asyncio.timeout(seconds):
                while (await self.read()).type is not WSMsgType.CLOSE:
                    pass
        except (*OVER, TimeoutError):
            pass
        finally:
            self.transport.abort()

    def write(self, frames: bytes) -> None:
        """Write finished frames, to whoever is there yet."""
        if not self.transport.is_closing():
            self.transport.write(frames)

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """Find the frames in what came."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Nothing more comes."""
        self._queue.feed_eof()

    def pause_reading(self) -> None:
        """Let what else the client sends wait in the kernel, and then with the client."""
        self._reading_paused = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more."""
        self._reading_paused = False
        if not self.transport.is_closing():  # uvloop's raises then
            self.transport.resume_reading()


class TakenOver(web.StreamResponse):
    """What aiohttp gets as the answer to a request whose connection it has no more."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """It is answered."""

    async def write_eof(self, data: bytes = b"") -> None:
        """It goes on without aiohttp."""


def take_over(request: web.Request, max_bytes: int) -> tuple[WebSocket, bytes]:
    """Take a connection from aiohttp; its client waits for the second, the answer.

    Raises:
        HTTPBadRequest: it asks for no WebSocket, or for one that nobody can open.
        ConnectionError: its client is gone.
    """
    try:
        answer = handshake(request.headers)
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    handler: Any = request.protocol
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError
    ws = adopt(transport, max_bytes)
    handler.transport = None  # or it would be closed
    handler.connection_lost(None)  # for aiohttp it ends here
    if handler._message_tail:  # noqa: SLF001 - frames that came along with the request
        ws.data_received(handler._message_tail)  # noqa: SLF001
        handler._message_tail = b""  # noqa: SLF001
    if handler._buffer_paused:  # noqa: SLF001 - there were many
        transport.resume_reading()
    return ws, answer


def adopt(transport: asyncio.Transport, max_bytes: int) -> WebSocket:
    """Let a connection be a WebSocket from here on."""
    ws = WebSocket(transport, max_bytes)
    transport.set_protocol(ws)
    return ws


def handshake(headers: Mapping[str, str]) -> bytes:
    """The answer to an opening handshake (RFC 6455, 4.2).

    Args:
        headers: their names in whatever case they are found by.

    Raises:
        ValueError: it is none; the text says why.
    """
    asked = headers.get("upgrade", "").strip().lower() == "websocket"
    upgrade = "upgrade" in headers.get("connection", "").lower()
    if not (asked and upgrade and headers.get("sec-websocket-version") == "13"):
        raise ValueError("This is no WebSocket handshake of version 13.")
    key = headers.get("sec-websocket-key", "")
    try:
        known = len(binascii.a2b_base64(key)) == KEY_BYTES
    except ValueError:
        known = False
    if not known:
        raise ValueError("The handshake's key is none.")
    digest = hashlib.sha1(key.encode() + WS_KEY).digest()  # noqa: S324 - RFC's
    accept = binascii.b2a_base64(digest, newline=False)
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


async def next_text(ws: WebSocket) -> str | None:
    """The next message, if it is text."""
    try:
        kind, data, _ = await ws.read()
    except OVER:
        return None
    return str(data) if kind is WSMsgType.TEXT else None
