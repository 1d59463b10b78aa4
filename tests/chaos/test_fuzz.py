"""Ten thousand messages of junk: each gets its code or a clean close, and nothing stays."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from game.errors import table as error_table
from tests.chaos import junk
from tests.chaos.chaos_kit import Footprint, quick, started, unharmed
from tests.fixtures import Stores, on
from tests.harness import Player, Server, Table

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

CODES = {row["code"] for row in error_table()}
ENGINE = "/socket.io/?EIO=4&transport="
WARM_UP, MESSAGES, BATCH = 1_500, 9_500, 25
PATIENCE = 20.0
SENTINEL = 700_000_000  # the first of the ack ids that tell where a batch ends


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
            event, error = orjson.loads(packet[1:])
            error = error if event == "server:error" else None
        elif packet.startswith("4"):
            error = orjson.loads(packet[packet.index("{") :])["data"]
        else:
            assert packet.startswith(("0", "1")), packet
            return
        if error:
            assert error["code"] in CODES - {"internal"}, error
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


class Fuzz:
    """Junk for one server."""

    def __init__(self, server: Server, http: aiohttp.ClientSession, tokens: Any) -> None:
        self.server = server
        self.http = http
        self.token: str = tokens["access_token"]

    @asynccontextmanager
    async def client(self, *, signed_in: bool = True) -> AsyncIterator[Raw]:
        async with self.http.ws_connect(
            f"{self.server.url}{ENGINE}websocket", max_msg_size=0, compress=0
        ) as socket:
            raw = Raw(socket)
            opening = await socket.receive_str(timeout=PATIENCE)
            assert opening[0] == "0"
            if signed_in:
                await raw.sign_in(self.token)
            yield raw

    async def packets(self, seed: int, count: int) -> Counter[str]:
        """Socket.IO junk: the connection stays."""
        source = junk.packets(seed)
        async with self.client() as raw:
            for _ in range(0, count, BATCH):
                await raw.batch(list(islice(source, BATCH)))
        return raw.codes

    async def fatal(self, dice: random.Random) -> None:
        """What is no Engine.IO, or no WebSocket: the connection ends, and no other."""
        async with self.client(signed_in=dice.random() < 0.7) as raw:
            if dice.random() < 0.5:
                await raw.socket.send_str(dice.choice(junk.FATAL))
            else:
                connection = raw.socket._conn
                assert connection
                assert connection.transport
                connection.transport.write(dice.choice(junk.FRAMES))
            await raw.over()

    async def big(self) -> None:
        """A frame that is too large ends the connection before it is read whole."""
        async with self.client() as raw:
            await raw.socket.send_str("4" + "x" * 70_000)
            await raw.over()

    async def before_sign_in(self, dice: random.Random) -> None:
        """Whoever has not said who he is, is answered about that only."""
        async with self.client(signed_in=False) as raw:
            for auth in dice.sample(junk.AUTHS, 5):
                await raw.send(auth)
                assert (await raw.next()).startswith("4"), auth
            packet = dice.choice([one for one in junk.HEADS if not one.startswith("0")])
            await raw.send(packet)
            await raw.over()

    async def come_and_go(self, dice: random.Random) -> None:
        """DISCONNECT and CONNECT on one connection, again and again."""
        async with self.client() as raw:
            for _ in range(dice.randint(1, 4)):
                await raw.send("1")
                await raw.sign_in(self.token)
                await raw.batch([(1, '21["chat:join",{"room":"room:fuzz"}]')])

    # Over HTTP

    async def _open(self) -> str:
        async with self.http.get(f"{self.server.url}{ENGINE}polling") as answer:
            sid: str = orjson.loads((await answer.read())[1:])["sid"]
        url = f"{self.server.url}{ENGINE}polling&sid={sid}"
        auth = orjson.dumps({"token": self.token}).decode()
        async with self.http.post(url, data=f"40{auth}") as answer:
            assert await answer.text() == "ok"
        return url

    async def polling(self, seed: int) -> None:
        """Bodies of polling requests; a bad one ends the session, with a 400."""
        dice = random.Random(seed)
        source = junk.packets(seed)
        url = await self._open()
        for _ in range(10):
            texts = ["4" + one for _, one in islice(source, 8) if isinstance(one, str)]
            async with self.http.post(url, data="\x1e".join(texts).encode()) as answer:
                # A separator inside of a packet makes two of it, and the second may be junk.
                good = not any("\x1e" in text for text in texts)
                assert answer.status == 200 or (answer.status == 400 and not good)
            if answer.status == 200:
                async with self.http.get(url) as answer:
                    self._polled(await answer.text())
            else:
                url = await self._open()
        async with self.http.post(url, data=dice.choice(junk.BODIES)) as answer:
            assert answer.status == 400
        async with self.http.get(url) as answer:
            assert answer.status == 400

    @staticmethod
    def _polled(text: str) -> None:
        for packet in text.split("\x1e"):
            assert packet[0] in "246", packet
            if packet.startswith('42["server:error"'):
                assert orjson.loads(packet[2:])[1]["code"] in CODES - {"internal"}

    async def raw_http(self, sid: str, request: str) -> None:
        """A request by hand: anything but a status of 500 and above."""
        place = urlsplit(self.server.url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            writer.write(request.format(host=place.netloc, sid=sid).encode("latin-1"))
            async with asyncio.timeout(PATIENCE):
                line = await reader.readline()
            assert line == b"" or 100 < int(line.split()[1]) < 500, (request, line)
        finally:
            writer.close()

    async def http_junk(self) -> None:
        for request in junk.REQUESTS:
            url = await self._open()
            await self.raw_http(url.rpartition("=")[2], request)

    async def upgrades(self) -> None:
        """A session is upgraded once; other tries are refused and do not harm it."""
        url = await self._open()
        upgrade = url.replace("transport=polling", "transport=websocket")
        async with self.http.ws_connect(upgrade) as socket:
            await socket.send_str("2probe")
            assert await socket.receive_str(timeout=PATIENCE) == "3probe"
            await self._refused(upgrade)
            await socket.send_str("5")
            raw = Raw(socket)
            await raw.batch([(1, '21["chat:nothing"]')])
            await self._refused(upgrade)
            for method in ("GET", "POST"):
                async with self.http.request(method, url) as answer:
                    assert answer.status == 400
            await raw.batch([(2, '22["chat:nothing"]')])
        for said in ("nonsense", "2", "5", "2probe2probe"):
            url = await self._open()
            upgrade = url.replace("transport=polling", "transport=websocket")
            async with self.http.ws_connect(upgrade) as socket:
                await socket.send_str(said)
                assert (await socket.receive(timeout=PATIENCE)).type in {
                    aiohttp.WSMsgType.CLOSE,
                    aiohttp.WSMsgType.CLOSED,
                }
            async with self.http.post(url, data="1") as answer:
                assert answer.status == 200

    async def _refused(self, url: str) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await self.http.ws_connect(url)
        assert refused.value.status == 400


async def repeat(count: int, work: Callable[[], Any]) -> None:
    for _ in range(count):
        await work()


async def test_ten_thousand_messages_of_junk_leave_no_trace(
    emptied: Stores, table: Table
) -> None:
    settings = on(
        emptied,
        **quick(
            LIMITS__EVENTS_PER_SECOND=1_000_000,
            LIMITS__EVENTS_BURST=1_000_000,
            LIMITS__CONNECTIONS_PER_ACCOUNT=1_000,
            LIMITS__AUTH_SECONDS=60,
            # So that pools are full after the warm-up, and stay what they are.
            REDIS__POOL_SIZE=8,
            MONGO__POOL_SIZE=4,
        ),
    )
    async with started(**settings) as server, aiohttp.ClientSession() as http:
        guest = await table.guest(server.url)
        fuzz = Fuzz(server, http, guest.tokens)
        dice = random.Random(2)

        async def everything(seed: int, count: int) -> Counter[str]:
            sizes = [count // 4] * 4
            told = await asyncio.gather(
                *(fuzz.packets(seed + n, size) for n, size in enumerate(sizes))
            )
            await repeat(count // 30, lambda: fuzz.fatal(dice))
            await repeat(count // 500, fuzz.big)
            await repeat(count // 300, lambda: fuzz.before_sign_in(dice))
            await repeat(count // 500, lambda: fuzz.come_and_go(dice))
            for n in range(count // 400):
                await fuzz.polling(seed + n)
            await fuzz.http_junk()
            await fuzz.upgrades()
            return sum(told, Counter())

        await everything(1, WARM_UP)
        footprint = Footprint(server, emptied, table)
        await footprint.settle()
        codes = await everything(100, MESSAGES)
        # All of them were looked at, and by every check that there is.
        assert {"ok", "malformed_payload", "validation_failed", "payload_too_large"} <= set(codes)
        assert {"unknown_event", "not_found", "forbidden"} <= set(codes)
        assert not {"rate_limited", "internal", "timeout"} & set(codes)
        await footprint.check(megabytes=16)
        await _still_well(table, server, guest)
        unharmed(server)


async def _still_well(table: Table, server: Server, guest: Player) -> None:
    player = await guest.connect()
    assert (await player.do("presence:set", status="busy"))["status"] == "busy"
    async with table.http.get(f"{server.url}/health/ready") as answer:
        assert answer.status == 200


async def test_with_the_usual_limits_who_sends_junk_is_sent_away(
    emptied: Stores, table: Table
) -> None:
    async with started(**on(emptied)) as server, aiohttp.ClientSession() as http:
        guest = await table.guest(server.url)
        fuzz = Fuzz(server, http, guest.tokens)
        footprint = Footprint(server, emptied, table)
        await _still_well(table, server, guest)
        await guest.leave()
        await footprint.settle()
        for seed in range(3):
            async with fuzz.client() as raw:
                farewell = ""
                sender = asyncio.create_task(_flood(raw, seed))
                while packet := await raw.next():
                    farewell = packet if "server:disconnect" in packet else farewell
                await sender
            assert orjson.loads(farewell[1:])[1]["code"] == "abuse"
            assert raw.codes["rate_limited"] >= 200
        await footprint.check(megabytes=8)
        again = await table.player(server.url, guest.tokens).connect()
        await _still_well(table, server, again)
        unharmed(server)


async def _flood(raw: Raw, seed: int) -> None:
    try:
        for _, packet in islice(junk.packets(seed), 5_000):
            await raw.send(packet)
    except (ConnectionError, aiohttp.ClientError):
        return  # sent away
