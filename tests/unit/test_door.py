"""The front door: what it lets in straight, and that all else reaches aiohttp untouched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st

from config.sections import Http
from server.door import HEAD_BYTES, Door, read
from server.http_address import Addresses

ORDINARY = {
    "Host": "game.test",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
PATH = "/socket.io/?EIO=4&transport=websocket"


def request(path: str = PATH, method: str = "GET", tail: str = "", **headers: str) -> bytes:
    named = ORDINARY | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n{tail}".encode()


@pytest.mark.parametrize("path", [PATH, "/socket.io/?transport=websocket&EIO=4&t=1763.5"])
def test_what_clients_send_is_read(path: str) -> None:
    read_ = read(request(path, Origin="https://game.test", Sec_WebSocket_Extensions="x; y"))
    assert read_
    assert {name.lower() for name in ORDINARY} <= read_.keys()
    assert read_["origin"] == "https://game.test"


def test_who_sends_nearly_the_same_is_not_taken_for_another() -> None:
    for key in ("dGhlIHNhbXBsZSBub25jZQ==", "c29tZWJvZHkgZWxzZSBoZQ=="):
        for origin in ("https://game.test", "https://elsewhere.test"):
            for _ in range(2):
                read_ = read(request(Sec_WebSocket_Key=key, Origin=origin))
                assert read_
                assert (read_["sec-websocket-key"], read_["origin"]) == (key, origin)
                read_["origin"] = "changed by who asked"
            assert read(request(Sec_WebSocket_Key=key, Origin=origin, X="\x01")) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request()[:-1],
        request(tail="x"),
        request() + request(),
        request(method="POST"),
        request("/socket.io/?EIO=4&transport=polling"),
        request("/socket.io/?EIO=3&transport=websocket"),
        request(PATH + "&sid=0badf00d.x"),
        request(PATH + "&j=1"),
        request("/socket.io/?EIO=4&transport=websocket#x"),
        request(Content_Length="3", tail=""),
        request(Transfer_Encoding="chunked"),
        request(Expect="100-continue"),
        request(X="\x01"),
        request(X="é"),
        request(X="a\nb: c"),
        request(X="a" * HEAD_BYTES),
        request().replace(b"Host: game.test\r\n", b""),
        request().replace(b"Host:", b"Host :"),
        request().replace(b"Upgrade: ", b"Upgrade: x\r\n folded: "),
        request().replace(b"Host: game.test", b"Host: a\r\nHost: b"),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
        request().replace(b"\r\n", b"\n"),
    ],
)
def test_all_else_is_left_to_aiohttp(data: bytes) -> None:
    assert read(data) is None


LINES = st.lists(
    st.tuples(
        st.sampled_from(["X-Forwarded-For", "x-forwarded-for", "Origin", "A_b", "Cookie", "\u0130"])
        | st.text(max_size=3),
        st.text(alphabet=st.sampled_from(" \tab:;\r\n\x00\x7f\xe9,"), max_size=6),
    ),
    max_size=4,
)


@given(LINES)
def test_what_is_read_is_what_aiohttp_would_have_read(lines: list[tuple[str, str]]) -> None:
    more = "".join(f"{name}:{value}\r\n" for name, value in lines)
    data = request()[:-2] + more.encode("utf-8", "surrogatepass") + b"\r\n"
    ours = read(data)
    if ours is None:
        return
    loop = asyncio.new_event_loop()
    try:
        messages, upgraded, rest = _theirs(loop).feed_data(data)
    except HttpProcessingError as error:
        raise AssertionError(ours) from error
    finally:
        loop.close()
    ((message, _),) = messages
    assert (upgraded, rest) == (True, b"")
    theirs: dict[str, str] = {}
    for name, value in message.headers.items():
        known = theirs.get(name.lower())
        theirs[name.lower()] = value if known is None else f"{known},{value}"
    assert ours == theirs


def _theirs(loop: asyncio.AbstractEventLoop) -> HttpRequestParser:
    return HttpRequestParser(BaseProtocol(loop), loop, 65_536)


@dataclass
class Further(asyncio.Protocol):
    """Stands for aiohttp: says what came."""

    heard: list[bytes] = field(default_factory=list)

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)


@dataclass
class House:
    """A door on a port, who was let in, and who was sent further."""

    port: int
    door: Door
    further: Further
    entered: list[tuple[str, bytes]]
    guests: list[asyncio.StreamWriter] = field(default_factory=list)

    async def say(self, data: bytes) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.guests.append(writer)
        writer.write(data)
        await asyncio.sleep(0.02)
        return reader


@asynccontextmanager
async def house(idle_seconds: float = 60) -> AsyncIterator[House]:
    further, entered = Further(), list[tuple[str, bytes]]()

    def let_in(_: asyncio.Transport, address: str, answer: bytes) -> None:
        entered.append((address, answer))

    addresses = Addresses(Http(trusted_proxies=(ip_network("127.0.0.1/32"),)))
    door = Door(lambda: further, let_in, addresses, idle_seconds)
    server = await asyncio.get_running_loop().create_server(door, "127.0.0.1", 0)
    front = House(server.sockets[0].getsockname()[1], door, further, entered)
    yield front
    for guest in front.guests:
        guest.close()
    server.close()
    await asyncio.sleep(0.02)


async def test_an_ordinary_client_is_let_in_with_its_address() -> None:
    async with house() as front:
        await front.say(request(X_Forwarded_For="6.6.6.6, 9.9.9.9"))
        ((address, answer),) = front.entered
        assert address == "9.9.9.9"
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer  # RFC 6455, 1.3
        assert not front.further.heard


async def test_who_asks_for_something_else_is_heard_by_aiohttp_from_the_first_byte() -> None:
    async with house() as front:
        asked = [
            b"G",
            b"GET / HTTP/1.1\r\n\r\n",
            request(Origin="https://elsewhere.test"),
            request(Sec_WebSocket_Key="none"),
            request(Sec_WebSocket_Version="12"),
            request(Upgrade="h2c"),
        ]
        for data in asked:
            await front.say(data)
        assert front.further.heard == asked
        assert not front.entered


async def test_who_says_nothing_is_cut_off_by_time_or_at_the_end() -> None:
    async with house(idle_seconds=0.05) as front:
        assert await asyncio.wait_for((await front.say(b"")).read(), 5) == b""
    async with house() as front:
        reader = await front.say(b"")
        front.door.close()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert not front.door.silent
