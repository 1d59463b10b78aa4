"""One epoll loop for thousands of WebSockets, and timers: the standard library's, and lean."""

from __future__ import annotations

import base64
import heapq
import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from loadtest.frames import CLOSE, one_frame

READ_BYTES = 1 << 17
LONGEST_WAIT = 0.05  # seconds
TEXT, CLOSED = 0x81, 0x88

now = time.monotonic


@dataclass(frozen=True)
class Target:
    """A server by its URL, resolved once."""

    host: str
    port: int
    family: int
    address: Any
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str) -> Target:
        """From `http://host:port` or `https://host`.

        Raises:
            ValueError, OSError: it is no such URL, or the name is unknown.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url} is no http:// or https:// URL")
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        family, _, _, _, address = socket.getaddrinfo(
            parts.hostname, port, type=socket.SOCK_STREAM
        )[0]
        tls = ssl.create_default_context() if secure else None
        return cls(parts.hostname, port, family, address, tls)


class Loop:
    """Moves sockets and calls what is due."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.sockets: dict[int, Socket] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self.buffer = bytearray(READ_BYTES)

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Call something at a time of `now`."""
        heapq.heappush(self._due, (when, next(self._numbers), call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something in a while."""
        self.at(now() + seconds, call)

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> None:
        """Go on until a time, or until it is done."""
        while (at := now()) < until and not done():
            while self._due and self._due[0][0] <= at:
                heapq.heappop(self._due)[2]()
            wait = min(until, self._due[0][0] if self._due else until) - now()
            for descriptor, what in self.epoll.poll(min(max(wait, 0.0), LONGEST_WAIT), 1_024):
                if one := self.sockets.get(descriptor):
                    one.move(what)


class Socket:
    """A WebSocket, from its TCP connection to its end.

    `on_text` gets each message, `on_end` is called once, with the reason, unless it was we
    who closed it.
    """

    __slots__ = (
        "_begun",
        "_loop",
        "_out",
        "_rest",
        "_sock",
        "_target",
        "_up",
        "closed",
        "on_end",
        "on_text",
    )

    def __init__(
        self,
        loop: Loop,
        target: Target,
        on_text: Callable[[bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._loop, self._target = loop, target
        self.on_text, self.on_end = on_text, on_end
        self._rest = b""
        self._out = b""
        self._begun = self._up = self.closed = False
        self._sock: Any = socket.socket(target.family)  # and with TLS an SSLSocket
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.connect_ex(target.address)
        self._register()

    def _register(self) -> None:
        self._loop.sockets[self._sock.fileno()] = self
        self._loop.epoll.register(self._sock.fileno(), select.EPOLLOUT)

    def move(self, what: int) -> None:
        """Do what the kernel says can be done."""
        try:
            if not self._begun:
                self._begin()
            elif what & select.EPOLLOUT:
                self._flush()
            if what & select.EPOLLIN and not self.closed:
                self._read()
            elif what & (select.EPOLLERR | select.EPOLLHUP):
                self._end("hung up")
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._end(type(error).__name__)

    def _begin(self) -> None:
        """The TCP connection is there: TLS, then the opening handshake (RFC 6455, 4.1)."""
        if error := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        if tls := self._target.tls:
            if not isinstance(self._sock, ssl.SSLSocket):
                self._sock = tls.wrap_socket(
                    self._sock, server_hostname=self._target.host, do_handshake_on_connect=False
                )
                self._wait_for(select.EPOLLIN | select.EPOLLOUT)
            self._sock.do_handshake()
        self._begun = True
        key = base64.b64encode(os.urandom(16)).decode()
        self._wait_for(select.EPOLLIN)
        self.send(
            (
                "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                f"Host: {self._target.host}:{self._target.port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )

    def _wait_for(self, what: int) -> None:
        self._loop.epoll.modify(self._sock.fileno(), what)

    def send(self, data: bytes) -> None:
        """Send, now or as soon as the kernel takes it."""
        if self.closed:
            return
        waiting = bool(self._out)
        self._out += data
        if not waiting:
            try:
                self._flush()
            except OSError as error:
                self._end(type(error).__name__)

    def _flush(self) -> None:
        try:
            sent = self._sock.send(self._out)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = 0
        self._out = self._out[sent:]
        self._wait_for(select.EPOLLIN | (select.EPOLLOUT if self._out else 0))

    def _read(self) -> None:
        size = self._sock.recv_into(self._loop.buffer)
        if not size:
            self._end("end of stream")
            return
        self._parse(self._rest + self._loop.buffer[:size])
        pending = getattr(self._sock, "pending", None)
        if pending and not self.closed and pending():
            self._read()

    def _parse(self, data: bytes) -> None:
        if not self._up:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            if b" 101 " not in head[:16]:
                self._end(f"HTTP {head[9:12].decode('latin-1')}")
                return
            self._up = True
        place = 0
        while (found_frame := one_frame(data, place)) and not self.closed:
            opcode, payload, place = found_frame
            if opcode == TEXT:
                self.on_text(payload)
            elif opcode == CLOSED:
                self._end("closed by the server")
        self._rest = data[place:]

    def stop_reading(self) -> None:
        """Leave what comes with the kernel, as a client does that hangs."""
        if not self.closed:
            self._wait_for(0)

    def read_on(self) -> None:
        """Read again."""
        if not self.closed:
            self._wait_for(select.EPOLLIN | (select.EPOLLOUT if self._out else 0))

    def close(self) -> None:
        """Say goodbye and go."""
        self.send(frame_of_goodbye())
        self._drop()

    def cut(self) -> None:
        """Be gone without a word."""
        if not self.closed:
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # on, 0 seconds: a reset
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._drop()

    def _end(self, why: str) -> None:
        if not self.closed:
            self._drop()
            self.on_end(why)

    def _drop(self) -> None:
        if not self.closed:
            self.closed = True
            self._loop.sockets.pop(self._sock.fileno(), None)
            self._sock.close()


def frame_of_goodbye() -> bytes:
    """Engine.IO's CLOSE and the WebSocket's: the session is over for good."""
    return b"\x81\x82\x00\x00\x00\x0041" + CLOSE
