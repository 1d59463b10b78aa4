"""The Engine.IO server: it makes our sockets, and is a little stricter than python-engineio.

What is replaced here, and checked against 4.15.1 by tests/unit/test_seams.py:
`AsyncServer._handle_connect` (the only place where sockets are made), `handle_request`,
`generate_id`, `create_queue` and `_ok`.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import engineio
import orjson
from aiohttp import web
from engineio import packet

from config.sections import Limits
from server.transport import CLOSE_SECONDS, GameSocket
from server.websocket import TakenOver, adopt, websocket_frame

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n"
    b"Content-Length: 4\r\nConnection: close\r\n\r\nfull"
)
ID_BYTES = 15  # of randomness: who knows a polling client's id is that client
METHODS = frozenset({"GET", "POST", "OPTIONS"})


class Engine(engineio.AsyncServer):
    """The Engine.IO server, with our sockets.

    `on_message`, `on_disconnect`, `on_overflow`, `admit` and `address_of` are set by
    server/sockets.py.
    """

    sockets: dict[str, GameSocket]

    def __init__(self, *, limits: Limits, node: str, **options: Any) -> None:
        super().__init__(
            async_mode="aiohttp",
            ping_interval=limits.ping_seconds,
            ping_timeout=limits.ping_timeout_seconds,
            max_http_buffer_size=limits.frame_bytes,
            monitor_clients=False,  # each socket has its own timer
            **options,
        )
        self.limits = limits
        self.node = node
        self._terms = {
            "pingTimeout": int(limits.ping_timeout_seconds * 1000),
            "pingInterval": int(limits.ping_seconds * 1000),
            "maxPayload": limits.frame_bytes,
        }
        self.on_message: Callable[[GameSocket, str | bytes], Awaitable[None]]
        self.on_disconnect: Callable[[GameSocket], Awaitable[None]]
        self.on_overflow: Callable[[GameSocket], None]
        self.admit: Callable[[GameSocket], bool]
        self.address_of: Callable[[web.Request], str]
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing: deque[GameSocket] = deque()  # in this turn of the loop

    def spawn(self, work: Any) -> None:
        """Run a short coroutine that nobody waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def flush_soon(self, socket: GameSocket) -> None:
        """Let a socket write when this turn of the loop is over: a callback for all of them."""
        if not self._writing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._writing.append(socket)

    def _flush(self) -> None:
        try:
            while self._writing:
                self._writing.popleft().flush()
        finally:
            if self._writing:  # one has failed, which is nothing to the others
                asyncio.get_running_loop().call_soon(self._flush)

    async def wait_ended(self, seconds: float) -> None:
        """Let the connections that were closed come to their end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def create_queue(self, *_: Any, **__: Any) -> None:
        """Stock's sockets have queues, of four deques each; ours keep a list for polls."""

    def generate_id(self) -> str:
        """An id that says on which node its session lives; server/forward.py reads it."""
        return f"{self.node}.{os.urandom(ID_BYTES).hex()}"

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Everything below /socket.io/, a little stricter than python-engineio."""
        socket = self.sockets.get(request.query.get("sid", ""))
        websocket = request.headers.get("Upgrade", "").lower() == "websocket"
        if "transport" not in request.query or request.method not in METHODS:
            return web.Response(status=400, text="Bad Request")
        if socket and socket.upgraded and websocket:
            return await _turned_away(request)
        answer: web.StreamResponse = await super().handle_request(request)
        return answer

    def _ok(self, packets: Any = None, headers: Any = None, jsonp_index: Any = None) -> Any:
        answer = super()._ok(packets, headers, jsonp_index)
        if packets is None:
            answer["response"] = b"ok"  # as Node says it
        return answer

    async def _handle_connect(
        self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None
    ) -> Any:
        """Open a session (Engine.IO v4, "Handshake")."""
        socket = self._begin(self.address_of(environ["aiohttp.request"]))
        if socket is None:
            return self._refused()
        first = packet.Packet(packet.OPEN)
        first.encode_cache = self._open(socket.sid, transport).decode()
        socket.post(first)
        if transport == "websocket":
            return await self._open_websocket(socket, environ)
        socket.connected = True
        return self._ok(await socket.poll(), jsonp_index=jsonp_index)

    def let_in(self, transport: asyncio.Transport, address: str, answer: bytes) -> None:
        """Open a session over a WebSocket whose handshake server/door.py has read."""
        socket = self._begin(address)
        if socket is None:
            transport.write(FULL)
            transport.close()
        else:
            first = answer + websocket_frame(self._open(socket.sid, "websocket"))
            socket.open(adopt(transport, self.limits.frame_bytes), first)

    def _begin(self, address: str) -> GameSocket | None:
        """A new session, if one is admitted."""
        socket = GameSocket(self, self.generate_id(), address)
        if not self.admit(socket):
            return None
        self.sockets[socket.sid] = socket
        socket.schedule_ping()
        return socket

    async def _open_websocket(self, socket: GameSocket, environ: dict[str, Any]) -> Any:
        answer: Any = None
        try:
            answer = await socket.handle_get_request(environ)
        finally:
            if not isinstance(answer, TakenOver):  # the WebSocket's handshake was wrong
                await socket.close(abort=True)
        # Without "Connection: Upgrade" it takes the request for a poll.
        return self._bad_request("No upgrade") if isinstance(answer, list) else answer

    def _open(self, sid: str, transport: str) -> bytes:
        """The packet that says what a client has to know."""
        upgrades = self._upgrades(sid, transport)
        return b"0" + orjson.dumps({"sid": sid, "upgrades": upgrades, **self._terms})

    @staticmethod
    def _refused() -> dict[str, Any]:
        headers = [("Content-Type", "text/plain"), ("Retry-After", "1")]
        return {"status": "503 SERVICE UNAVAILABLE", "headers": headers, "response": b"full"}


async def _turned_away(request: web.Request) -> web.WebSocketResponse:
    """A second WebSocket for a session that has one."""
    ws = web.WebSocketResponse(timeout=CLOSE_SECONDS)
    await ws.prepare(request)
    await ws.close()
    return ws
