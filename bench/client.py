"""A load generator: many Socket.IO clients over WebSocket on one epoll loop.

Standard library only, so that the load costs less than what it measures: frames are built
by hand with a mask of zeros, and equal broadcasts that come in one read are counted
together. https://github.com/socketio/engine.io-protocol, RFC 6455.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

from loadtest.frames import PONG, event, frame, one_frame

BROADCAST = b'42["chat:'  # the events whose deliveries are counted
READ_BYTES = 1 << 18
WAVE = 64  # connections that are being opened at once
PATIENCE = 60.0  # seconds that anything may take

# Linux' SO_TIMESTAMPING (Documentation/networking/timestamping.rst): the time, by the clock
# of time.time(), at which the segment of the last byte read came. Python has no names for it.
TIMESTAMPING = 37
RX_SOFTWARE = 1 << 3 | 1 << 4  # stamped by the kernel, and reported
STAMP = struct.Struct("@qq")  # seconds and nanoseconds; two more pairs follow, of hardware
STAMP_BYTES = socket.CMSG_SPACE(3 * STAMP.size)

now = time.perf_counter


class BenchFailed(Exception):
    """A server did not do what the bench asks of it."""


class Group:
    """The members of one room, of whom `reach` receive what one of them sends.

    `sent_at` has the times (of time.time) of what was sent, while latency is measured.
    """

    def __init__(self, name: str, members: list[Client], reach: int) -> None:
        self.name = name
        self.members = self.senders = members
        self.reach = reach
        self.sent = 0
        self.delivered = 0
        self.sent_at: list[float] | None = None
        for member in members:
            member.group = self

    def measure(self, senders: int = 1) -> None:
        """Take times from now on; nothing may be under way.

        Args:
            senders: of several, one who overtakes another is taken for him.
        """
        self.senders = self.members[:senders]
        self.sent_at = []
        for member in self.members:
            member.base = member.received
            with contextlib.suppress(OSError):  # then the times are those of reading
                member.sock.setsockopt(socket.SOL_SOCKET, TIMESTAMPING, RX_SOFTWARE)


class Client:
    """One connection."""

    __slots__ = (
        "base",
        "closed",
        "group",
        "inbox",
        "on_ack",
        "opened",
        "out",
        "player",
        "ready",
        "received",
        "rest",
        "sock",
        "stage",
        "token",
        "welcome",
    )

    def __init__(self, token: str, extra: dict[str, Any] | None = None) -> None:
        self.token = json.dumps({"token": token, **(extra or {})})
        self.sock = socket.socket()
        self.stage = 0  # 0 HTTP, 1 Engine.IO's open, 2 CONNECT's answer, 3 up
        self.rest = b""
        self.out = b""
        self.closed = False
        self.group = NOWHERE
        self.received = 0
        self.base = 0
        self.inbox: list[bytes] | None = None  # a list for who wants to see all packets
        self.on_ack: Callable[[Client, bytes], None] | None = None
        self.welcome: dict[str, Any] = {}
        self.ready = 0.0  # when session:ready came
        self.opened = 0.0
        self.player = ""


NOWHERE = Group("", [], 0)


class Load:
    """A number of clients and the loop that moves them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.clients: list[Client] = []
        self.up = 0
        self.acks = 0
        self.errors = 0
        self.lost = 0  # connections
        self.first_error = b""
        self.latencies: list[float] = []  # seconds
        self.unstamped = 0  # reads whose time is ours, not the kernel's
        self._epoll = select.epoll()
        self._by_fd: dict[int, Client] = {}
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)
        self._came = 0.0  # when what is being read came

    # Connections

    def connect(self, tokens: Sequence[str]) -> list[Client]:
        """Open a connection for each token, and wait until all are signed in."""
        clients = [Client(token) for token in tokens]
        self.connect_all(clients)
        return clients

    def connect_all(self, clients: Sequence[Client]) -> None:
        """Open these connections, some at a time, and wait until all are signed in."""
        target = self.up + len(clients)
        begun = self.up
        deadline = now() + PATIENCE
        for client in clients:
            while begun - self.up >= WAVE:
                self._pump_until(deadline, "connect")
            self._open(client)
            begun += 1
        while self.up < target:
            self._pump_until(deadline, "connect")

    def _pump_until(self, deadline: float, what: str) -> None:
        self.pump(0.02)
        if now() > deadline or (self.lost and what == "connect"):
            facts = f"up {self.up}, acks {self.acks}, lost {self.lost}, errors {self.errors}"
            raise BenchFailed(f"{what}: {facts}, {self.first_error!r}")

    def _open(self, client: Client) -> None:
        sock = client.sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(("127.0.0.1", self.port))
        sock.setblocking(False)
        self._by_fd[sock.fileno()] = client
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        self.clients.append(client)
        client.opened = now()
        key = base64.b64encode(os.urandom(16)).decode()
        self.send(
            client,
            (
                "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ).encode(),
        )

    def drop(self, client: Client) -> None:
        """Cut a connection."""
        if not client.closed:
            client.closed = True
            self.up -= client.stage == 3
            self._by_fd.pop(client.sock.fileno(), None)
            client.sock.close()

    def close(self) -> None:
        """Cut all connections."""
        for client in self.clients:
            self.drop(client)
        self._epoll.close()

    def stop_reading(self, client: Client) -> None:
        """Leave what comes in the kernel, of which there is little."""
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self._epoll.modify(client.sock.fileno(), 0)

    # Waiting

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Move until something is so."""
        deadline = now() + PATIENCE
        while not condition():
            self._pump_until(deadline, what)

    def settle(self, seconds: float) -> None:
        """Move for a time."""
        end = now() + seconds
        while (left := end - now()) > 0:
            self.pump(min(left, 0.02))

    def ask_all(self, clients: Sequence[Client], name: str, **fields: Any) -> None:
        """Each client asks the same, some at a time, and is answered."""
        target = self.acks + len(clients)
        for index, client in enumerate(clients):
            self.send(client, event(name, **fields))
            if index % WAVE == WAVE - 1:
                done = target - len(clients) + index + 1
                self.until(lambda done=done: self.acks >= done, name)  # type: ignore[misc]
        self.until(lambda: self.acks >= target, name)

    # Bytes

    def send(self, client: Client, data: bytes) -> None:
        """Send, now or as soon as the kernel takes it."""
        if client.out:
            client.out += data
            return
        try:
            sent = client.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lose(client, repr(error).encode())
            return
        if sent < len(data):
            client.out = data[sent:]
            self._epoll.modify(client.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def pump(self, timeout: float) -> None:
        """Move whatever can move, after waiting for at most `timeout` seconds."""
        for descriptor, what in self._epoll.poll(max(0.0, timeout), 1_024):
            client = self._by_fd.get(descriptor)
            if client is None:
                continue
            if what & select.EPOLLOUT:
                data, client.out = client.out, b""
                self._epoll.modify(descriptor, select.EPOLLIN)
                self.send(client, data)
            if what & select.EPOLLIN:
                self._read(client)
            elif what & (select.EPOLLERR | select.EPOLLHUP):
                self._lose(client, b"hung up")

    def _read(self, client: Client) -> None:
        try:
            if client.group.sent_at is None:
                size = client.sock.recv_into(self._buffer)
            else:
                size = self._read_stamped(client)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(client, repr(error).encode())
            return
        if not size:
            self._lose(client, b"end of stream")
        elif not self._count_broadcasts(client, size):
            self._parse(client, bytes(self._view[:size]))

    def _read_stamped(self, client: Client) -> int:
        """Read, and note when that came: by the kernel's word, or else now."""
        size, notes, _, _ = client.sock.recvmsg_into([self._buffer], STAMP_BYTES)
        if notes:
            seconds, nanoseconds = STAMP.unpack_from(notes[0][2])
            self._came = seconds + nanoseconds / 1e9
        else:
            self._came = time.time()
            self.unstamped += 1
        return size

    def _lose(self, client: Client, why: bytes) -> None:
        self.lost += not client.closed
        self.first_error = self.first_error or why
        self.drop(client)

    def _count_broadcasts(self, client: Client, size: int) -> bool:
        """Whether a read was nothing but equal broadcasts, which are counted then."""
        buffer = self._buffer
        if client.stage != 3 or client.rest or client.inbox is not None or buffer[0] != 0x81:
            return False
        length, head = buffer[1] + 2, 2
        if length == 126 + 2:
            length, head = (buffer[2] << 8) + buffer[3] + 4, 4
        if buffer[head : head + len(BROADCAST)] != BROADCAST:
            return False
        frames, rest = divmod(size, length)
        if rest or (frames > 1 and buffer.count(BROADCAST, 0, size) != frames):
            return False
        self._delivered(client, frames)
        return True

    def _delivered(self, client: Client, frames: int) -> None:
        group, first = client.group, client.received - client.base
        client.received += frames
        group.delivered += frames
        if group.sent_at is not None:
            sent = group.sent_at[first : first + frames]
            self.latencies.extend(self._came - at for at in sent)

    def _parse(self, client: Client, data: bytes) -> None:
        data = client.rest + data
        if client.stage == 0:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                client.rest = head
                return
            if b" 101 " not in head[:16]:
                self._lose(client, head[:200])
                return
            client.stage = 1
        place = 0
        while (found_frame := one_frame(data, place)) and not client.closed:
            opcode, payload, place = found_frame
            if opcode == 0x88:
                self._lose(client, b"closed: " + payload)
            elif opcode == 0x81:
                self._packet(client, payload)
        client.rest = data[place:]

    def _packet(self, client: Client, payload: bytes) -> None:
        if client.inbox is not None:
            client.inbox.append(payload)
        if payload.startswith(BROADCAST):
            self._delivered(client, 1)
        elif payload.startswith(b"43"):
            self._acknowledged(client, payload)
        elif payload == b"2":
            self.send(client, PONG)
        elif payload.startswith(b"40"):
            client.stage = 3
            self.up += 1
            client.welcome = json.loads(payload[2:])
        elif payload.startswith(b'42["session:ready"'):
            client.ready = now()
            client.player = json.loads(payload[2:])[1]["player"]["id"]
        elif client.stage == 1 and payload.startswith(b"0"):
            client.stage = 2
            self.send(client, frame(b"40" + client.token.encode()))
        elif payload.startswith((b"44", b'42["server:')):
            self.errors += 1
            self.first_error = self.first_error or payload

    def _acknowledged(self, client: Client, payload: bytes) -> None:
        self.acks += 1
        if b'"ok":false' in payload:
            self.errors += 1
            self.first_error = self.first_error or payload
        if client.on_ack:
            client.on_ack(client, payload)
