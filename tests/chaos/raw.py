"""Clients without manners: Engine.IO and Socket.IO by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from game.errors import table as error_table
from tests.harness import Server

CODES = {row["code"] for row in error_table()} - {"internal"}
ENGINE = "/socket.io/?EIO=4&transport="
PATIENCE = 20.0
SENTINEL = 700_000_000  # the first of the ack ids that tell where a batch ends


def visiting() -> aiohttp.ClientSession:
    """As many connections as are asked for; those that are idle end soon, since each is a
    task and a descriptor of the server.
    """
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=0.5))


class Raw:
    """A client without manners, over WebSocket; checks whatever it is told."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.codes: Counter[str] = Counter()
        self._sentinel = SENTINEL

    async def sign_in(self, token: str) -> None:
        await self.socket.send_str("40" + orjson.dumps({"token": token}).decode())
        while (await self.next())[0] != "0":
            pass

    async def next(self) -> str:
        """The next Socket.IO packet, '' when the connection is over."""
        while True:
            message = await self.socket.receive(timeout=PATIENCE)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return ""
            if message.data == "2":
                await self.socket.send_str("3")
            elif message.data.startswith("4"):
                self._check(message.data[1:])
                return str(message.data[1:])
            else:
                assert message.data[0] in "016", message.data

    def _check(self, packet: str) -> None:
        """Refusals are error objects with a code of the table."""
        if packet.startswith("3"):
            (envelope,) = orjson.loads(packet[packet.index("[") :])
            error = None if envelope["ok"] else envelope["error"]
        elif packet.startswith("2"):
            event, error, *_ = orjson.loads(packet[1:])
            error = error if event == "server:error" else None
        elif packet.startswith("4"):
            # A namespace, which may have any letters of junk, ends at a comma.
            body = packet.partition(",")[2] if packet.startswith("4/") else packet[1:]
            error = orjson.loads(body)["data"]
        else:
            assert packet.startswith(("0", "1")), packet
            return
        if error:
            assert error["code"] in CODES, error
            assert set(error) <= {
                *("type", "title", "status", "detail", "code", "retryable"),
                *("retry_after", "errors", "request_id"),
            }
        self.codes[error["code"] if error else "ok"] += 1

    async def send(self, packet: str | bytes) -> None:
        if isinstance(packet, bytes):
            await self.socket.send_bytes(packet)
        else:
            await self.socket.send_str("4" + packet)

    async def batch(self, packets: list[tuple[int | None, str | bytes]]) -> None:
        """Send them all; every acknowledgement that is asked for comes, and none twice."""
        self._sentinel += 1
        for _, packet in packets:
            await self.send(packet)
        await self.send(f'2{self._sentinel}["presence:query",{{"player_ids":[]}}]')
        acknowledged: Counter[int] = Counter()
        while not acknowledged[self._sentinel]:
            packet = await self.next()
            assert packet, f"closed after one of {packets}"
            if packet.startswith("3"):
                acknowledged[int(packet[1 : packet.index("[")])] += 1
        for ack_id, packet in packets:
            assert ack_id is None or acknowledged[ack_id] == 1, packet

    async def over(self) -> None:
        """The server ends the connection."""
        while await self.next():
            pass


class Clients:
    """Raw clients of one server, who all play as the same player."""

    def __init__(self, server: Server, http: aiohttp.ClientSession, tokens: Any) -> None:
        self.server = server
        self.http = http
        self.token: str = tokens["access_token"]

    @asynccontextmanager
    async def client(self, *, signed_in: bool = True) -> AsyncIterator[Raw]:
        """Over WebSocket."""
        async with self.http.ws_connect(
            f"{self.server.url}{ENGINE}websocket", max_msg_size=0, compress=0
        ) as socket:
            raw = Raw(socket)
            opening = await socket.receive_str(timeout=PATIENCE)
            assert opening[0] == "0"
            if signed_in:
                await raw.sign_in(self.token)
            yield raw

    async def poll(self) -> str:
        """Sign a polling session in; the URL of its requests."""
        async with self.http.get(f"{self.server.url}{ENGINE}polling") as answer:
            sid: str = orjson.loads((await answer.read())[1:])["sid"]
        url = f"{self.server.url}{ENGINE}polling&sid={sid}"
        auth = orjson.dumps({"token": self.token}).decode()
        async with self.http.post(url, data=f"40{auth}") as answer:
            assert answer.status == 200
        return url
