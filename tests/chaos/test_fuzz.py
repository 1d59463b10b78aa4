"""Thousands of messages of junk: each gets its code or a clean close, and nothing stays."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from tests.chaos import junk
from tests.chaos.chaos_kit import Footprint, Probe, quick, started, unharmed
from tests.chaos.raw import CODES, PATIENCE, Clients, Raw, visiting
from tests.fixtures import Stores, on
from tests.harness import Player, Server, Table
from tests.sizes import sized

WARM_UP, BATCH = 1_000, 25
FLOODS = sized("FUZZ_FLOODS", 1, 3)
MESSAGES = sized("FUZZ_MESSAGES", 2_000, 100_000)

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(120 + MESSAGES // 50)]


class Fuzz(Clients):
    """Junk for one server."""

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

    async def polling(self, seed: int) -> None:
        """Bodies of polling requests; a bad one ends the session, with a 400."""
        dice = random.Random(seed)
        source = junk.packets(seed)
        url = await self.poll()
        for _ in range(25):
            texts = ["4" + one for _, one in islice(source, 3) if isinstance(one, str)] or ["3"]
            async with self.http.post(url, data="\x1e".join(texts).encode()) as answer:
                status = answer.status
            # A separator inside of a packet makes two of it, and the second may be anything.
            if any("\x1e" in text for text in texts):
                assert status in {200, 400}
                url = await self.poll()
                continue
            assert status == 200, texts
            async with self.http.post(url, data='4299["presence:query",{"player_ids":[]}]'):
                pass  # so that there is something to say
            async with self.http.get(url) as answer:
                self._polled(await answer.text())
        body = dice.choice(junk.BODIES)
        async with self.http.post(url, data=body) as answer:
            assert answer.status == (200 if body.startswith(b"1") else 400), body
        async with self.http.get(url) as answer:
            assert answer.status == 400

    @staticmethod
    def _polled(text: str) -> None:
        for packet in text.split("\x1e"):
            assert packet[0] in "246", packet
            if packet.startswith('42["server:error"'):
                assert orjson.loads(packet[2:])[1]["code"] in CODES

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

    async def cut(self, sid: str, request: str) -> None:
        """A request that stops in its middle."""
        place = urlsplit(self.server.url)
        _, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(request.format(host=place.netloc, sid=sid).encode("latin-1"))
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.close()

    async def http_junk(self) -> None:
        for send, requests in ((self.raw_http, junk.REQUESTS), (self.cut, junk.CUT)):
            for request in requests:
                url = await self.poll()
                await send(url.rpartition("=")[2], request)

    async def upgrades(self) -> None:
        """A session is upgraded once; other tries are refused and do not harm it."""
        url = await self.poll()
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
            url = await self.poll()
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
        """A WebSocket is not opened, or closed at once."""
        try:
            async with self.http.ws_connect(url) as socket:
                closing = (await socket.receive(timeout=PATIENCE)).type
            assert closing in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        except aiohttp.WSServerHandshakeError as error:
            assert error.status == 400  # noqa: PT017 - one of the two


async def repeat(count: int, work: Callable[[], Any]) -> None:
    for _ in range(count):
        await work()


async def test_messages_of_junk_leave_no_trace(emptied: Stores, table: Table) -> None:
    settings = on(
        emptied,
        **quick(
            LIMITS__EVENTS_PER_SECOND=1_000_000,
            LIMITS__EVENTS_BURST=1_000_000,
            LIMITS__CONNECTIONS_PER_ACCOUNT=1_000,
            LIMITS__AUTH_SECONDS=60,
            # Polling sessions that are left behind end soon.
            LIMITS__PING_SECONDS=2,
            LIMITS__PING_TIMEOUT_SECONDS=2,
            # Full at once, so that it stays what it is.
            MONGO__POOL_SIZE=1,
            JOBS__WORKERS=False,  # their tasks and connections come and go by themselves
        ),
    )
    async with started(**settings) as server, visiting() as http:
        guest = await table.guest(server.url)
        fuzz = Fuzz(server, http, guest.tokens)
        dice = random.Random(2)

        async def everything(seed: int, count: int) -> Counter[str]:
            sizes = [count // 4] * 4
            told = await asyncio.gather(
                *(fuzz.packets(seed + n, size) for n, size in enumerate(sizes))
            )
            await repeat(count // 60, lambda: fuzz.fatal(dice))
            await repeat(count // 500, fuzz.big)
            await repeat(count // 300, lambda: fuzz.before_sign_in(dice))
            await repeat(count // 500, lambda: fuzz.come_and_go(dice))
            for n in range(count // 1_000):
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
    player = await table.player(server.url, guest.tokens).connect()
    assert (await player.do("presence:set", status="busy"))["status"] == "busy"
    await Probe(table).green(server)
    await player.leave()


async def test_with_the_usual_limits_who_sends_junk_is_sent_away(
    emptied: Stores, table: Table
) -> None:
    settings = on(emptied, MONGO__POOL_SIZE=1, JOBS__WORKERS=False)  # full at once
    async with started(**settings) as server, visiting() as http:
        guest = await table.guest(server.url)
        fuzz = Fuzz(server, http, guest.tokens)
        footprint = Footprint(server, emptied, table)
        await _still_well(table, server, guest)
        await footprint.settle()
        for seed in range(FLOODS):
            async with fuzz.client() as raw:
                farewell = ""
                sender = asyncio.create_task(_flood(raw, seed))
                while packet := await raw.next():
                    farewell = packet if "server:disconnect" in packet else farewell
                await sender
            assert orjson.loads(farewell[1:])[1]["code"] == "abuse"
            assert raw.codes["rate_limited"] >= 200
        await footprint.check(megabytes=8)
        await _still_well(table, server, guest)
        unharmed(server)


async def _flood(raw: Raw, seed: int) -> None:
    try:
        for _, packet in islice(junk.packets(seed), 5_000):
            await raw.send(packet)
    except (ConnectionError, aiohttp.ClientError):
        return  # sent away
