"""A line to Redis: one connection for all callers of a process.

Commands of one turn of the event loop leave in one write, answers come back in their
order, parsed by hiredis. A pool hands each command a connection of its own, and redis-py
spends most of a short command's time on that: 62 to 97 µs of CPU against 2 to 30 here
(docs/benchmarks.md). Nothing that blocks in Redis may be sent over a line.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    MovedError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import (
    ConnectionError as LineBroken,
)

Argument = str | bytes | int | float
Listener = Callable[[list[Any]], None]

# The first word of an error reply says what it is (RESP specification, "Simple errors").
ERRORS: dict[str, type[RedisError]] = {
    "NOSCRIPT": NoScriptError,
    "LOADING": BusyLoadingError,
    "READONLY": ReadOnlyError,
    "OOM": OutOfMemoryError,
    "MASTERDOWN": BusyLoadingError,
    "CLUSTERDOWN": BusyLoadingError,
    "TRYAGAIN": TryAgainError,
    # It takes no writes now: too few replicas, or a disk that is full.
    "NOREPLICAS": BusyLoadingError,
    "MISCONF": BusyLoadingError,
}
# In a cluster: another node has the key's slot. These classes read the rest of the text.
REDIRECTIONS: dict[str, type[AskError]] = {"MOVED": MovedError, "ASK": AskError}


class Line(asyncio.Protocol):
    """One connection. Broken, it stays so: whoever holds it opens another.

    Args:
        patience: seconds that an answer may take; then the line is broken, since whatever
            was sent after that command waits behind it.
        bound: commands that may wait for their answers.
        listener: takes what Redis pushes (`["message", channel, text]` and the like).
    """

    def __init__(self, patience: float, bound: int, listener: Listener | None = None) -> None:
        self.broken = False  # then nothing more goes over it
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(encoding="utf-8", errors="replace", replyError=_error)
        self._patience = patience
        self._bound = bound
        self._listener = listener
        self._transport: asyncio.WriteTransport | None = None
        self._out: list[bytes] = []
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._watch: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Commands that wait for their answers."""
        return len(self._waiting)

    def send(self, *command: Argument) -> asyncio.Future[Any]:
        """Send a command; the future has its answer, or its error.

        A caller who gives up only drops his answer.

        Raises:
            ConnectionError: the line is broken, or too much waits already.
        """
        if self.broken or self._transport is None:
            raise LineBroken("The line is broken.")
        if len(self._waiting) >= self._bound:
            raise LineBroken("Too many commands wait for their answers.")
        answer: asyncio.Future[Any] = self._loop.create_future()
        self.write(*command)  # first: of what cannot be packed, nobody waits for an answer
        self._waiting.append((answer, self._loop.time()))
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience, self._look)
        return answer

    def write(self, *command: Argument) -> None:
        """Send a command that is answered by a push only: SUBSCRIBE and UNSUBSCRIBE."""
        packed = hiredis.pack_command(cast("Any", command))
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(packed)

    def hang_up(self) -> None:
        """End the connection; who waits for an answer gets none."""
        if self._transport:
            self._transport.abort()

    def _flush(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _look(self) -> None:
        """Has the oldest command waited too long?"""
        self._watch = None
        if not self._waiting:
            return
        due = self._waiting[0][1] + self._patience
        if self._loop.time() >= due:
            self.hang_up()
        else:
            self._watch = self._loop.call_at(due, self._look)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand out answers and pushes."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if isinstance(reply, hiredis.PushNotification):
                if self._listener:
                    self._listener(reply)
            elif self._waiting:
                self._answer(reply)
            else:  # a SUBSCRIBE was refused: who waits for its push would wait for ever
                self.hang_up()
                return

    def _answer(self, reply: Any) -> None:
        answer, _ = self._waiting.popleft()
        if isinstance(reply, Exception):
            self._refuse(answer, reply)
        elif not answer.done():  # else its caller gave up
            answer.set_result(reply)

    def _refuse(self, answer: asyncio.Future[Any], error: Exception) -> None:
        if isinstance(error, ReadOnlyError):  # no primary any more: it is to be looked for
            self.hang_up()
        if not answer.done():
            answer.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for what will not come."""
        self.broken = True
        if self._watch:
            self._watch.cancel()
        while self._waiting:
            answer, _ = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(LineBroken(str(exc or "The connection was closed.")))
        if not self.closed.done():
            self.closed.set_result(None)


async def connect(url: str, patience: float, bound: int, listener: Listener | None = None) -> Line:
    """Open a line to `redis://`, `rediss://` or `unix://`.

    Raises:
        ConnectionError, OSError, TimeoutError: nobody answers there.
        ResponseError: the credentials are wrong.
    """
    options = dict(parse_url(url))
    async with asyncio.timeout(patience):
        line = await _open(options, lambda: Line(patience, bound, listener))
        try:
            await _introduce(line, options)
        except BaseException:
            line.hang_up()
            raise
    return line


async def _open(options: dict[str, Any], make: Callable[[], Line]) -> Line:
    loop = asyncio.get_running_loop()
    if path := options.get("path"):
        _, line = await loop.create_unix_connection(make, path)
        return line
    secure = _context(options) if options.get("connection_class") is SSLConnection else None
    host, port = options.get("host", "localhost"), options.get("port", 6379)
    transport, line = await loop.create_connection(make, host, port, ssl=secure)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return line


def _context(options: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _introduce(line: Line, options: dict[str, Any]) -> None:
    """RESP3, in which pushes are told from answers; who we are; which database."""
    hello: list[Argument] = ["HELLO", 3]
    if password := options.get("password"):
        hello += ["AUTH", options.get("username") or "default", password]
    await line.send(*hello)
    if database := options.get("db"):
        await line.send("SELECT", database)


def _error(text: str) -> RedisError:
    kind, _, rest = text.partition(" ")
    if kind in REDIRECTIONS:
        return REDIRECTIONS[kind](rest)
    return ERRORS.get(kind, ResponseError)(text)
