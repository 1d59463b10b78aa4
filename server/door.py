"""The front door: a WebSocket's handshake as clients send it goes straight to Engine.IO.

aiohttp makes two tasks, a request, a writer and a parser for each connection, asks three
middlewares and the router, and python-engineio translates the request to WSGI: a third of
what a connection costs, for one of which all of that is thrown away at once. So who begins
with `GET /socket.io/?…transport=websocket`, and sends just that, is read here. Whatever is
else, incomplete, unusual or wrong is aiohttp's, from its first byte, and answered as ever.

What this takes hold of, checked against aiohttp 3.14.5 by tests/unit/test_seams.py: a
`web.Server` makes protocols when called, and they begin with `connection_made`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import lru_cache
from typing import cast

from server.http_address import Addresses
from server.patience import Patience
from server.websocket import handshake

HEAD_BYTES = 8_190  # aiohttp's own bound of a line; browsers send some 600
BEGINNING = b"GET /socket.io/?"
END = b"\r\n\r\n"
# RFC 9110, 5.1 and 5.5, and no more of them than that: all else is for aiohttp to judge.
HEADER = re.compile(r"([\w!#$%&'*+.^`|~-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?[ \t]*")
WITH_A_BODY = frozenset({"content-length", "transfer-encoding", "expect"})
ASKED = frozenset({"EIO=4", "transport=websocket"})
TIMESTAMP = "t="  # against caches, from some clients
# Lines that are not read again, some 40 bytes each, 4 MB if all were as long as they may be: nearly
# all that one client sends are what others send, and only the key is ever new.
KNOWN = 256

LetIn = Callable[[asyncio.Transport, str, bytes], None]
"""Called with a connection, its client's address, and the answer to its handshake."""


class Door:
    """Stands in front of aiohttp: the protocol factory of a listening socket.

    Args:
        further: aiohttp's.
        idle_seconds: that a connection may say nothing at first.
    """

    def __init__(
        self,
        further: Callable[[], asyncio.Protocol],
        let_in: LetIn,
        addresses: Addresses,
        idle_seconds: float,
    ) -> None:
        self._further = further
        self._let_in = let_in
        self._addresses = addresses
        self.silent: Patience[Visitor] = Patience(idle_seconds, _cut_off)

    def __call__(self) -> Visitor:
        """A new connection's protocol."""
        return Visitor(self)

    def close(self) -> None:
        """End the connections that have said nothing yet."""
        for visitor in self.silent:
            visitor.transport.abort()

    def hear(self, transport: asyncio.Transport, data: bytes) -> None:
        """Let in who asks for what all ask for; any other is aiohttp's."""
        headers = read(data)
        answer = self._answer(headers) if headers else None
        if headers and answer:
            peer = transport.get_extra_info("peername")
            address = self._addresses.behind(peer[0], headers.get("x-forwarded-for", ""))
            self._let_in(transport, address, answer)
            return
        protocol = self._further()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)

    def _answer(self, headers: dict[str, str]) -> bytes | None:
        origin = headers.get("origin")
        if origin and not self._addresses.allowed(origin, headers["host"]):
            return None
        try:
            return handshake(headers)
        except ValueError:
            return None


class Visitor(asyncio.Protocol):
    """A connection that has said nothing yet."""

    __slots__ = ("_door", "transport")

    def __init__(self, door: Door) -> None:
        self._door = door
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for what it wants."""
        self.transport = cast("asyncio.Transport", transport)
        self._door.silent.add(self)

    def data_received(self, data: bytes) -> None:
        """It is another protocol's from here on."""
        self._door.silent.discard(self)
        self._door.hear(self.transport, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """It wanted nothing."""
        self._door.silent.discard(self)


def _cut_off(visitor: Visitor) -> None:
    visitor.transport.abort()


def read(data: bytes) -> dict[str, str] | None:
    """The headers, in lower case, of a request for a WebSocket; None if it is any other,
    or is not all there, or if anything about it is unusual.
    """
    if not data.startswith(BEGINNING) or data.find(END) != len(data) - len(END):
        return None
    if len(data) > HEAD_BYTES or not data.isascii():
        return None
    first, *lines = data[len(BEGINNING) : -len(END)].decode("ascii").split("\r\n")
    headers = _headers(lines) if _asks_for_one(first) else None
    if not headers or "host" not in headers or not WITH_A_BODY.isdisjoint(headers):
        return None
    return headers


@lru_cache(KNOWN)
def _asks_for_one(line: str) -> bool:
    query, _, version = line.partition(" ")
    asked = set(query.split("&"))
    more = all(one.startswith(TIMESTAMP) for one in asked - ASKED)
    return version == "HTTP/1.1" and asked >= ASKED and more


def _headers(lines: list[str]) -> dict[str, str] | None:
    headers: dict[str, str] = {}
    for line in lines:
        found = _header(line)
        if found is None:
            return None
        name, value = found
        if name == "x-forwarded-for" and name in headers:
            value = f"{headers[name]},{value}"
        elif name in headers:
            return None
        headers[name] = value
    return headers


@lru_cache(KNOWN)
def _header(line: str) -> tuple[str, str] | None:
    found = HEADER.fullmatch(line)
    return (found[1].lower(), found[2] or "") if found else None
