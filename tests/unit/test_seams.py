"""The places where transport.py, websocket.py, door.py, sockets.py and metrics.py of
server/ take hold of python-engineio, python-socketio, aiohttp and prometheus-client. An upgrade
that moves one of them fails here, by its name, before it fails in a way that is harder to read.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, cast

import engineio
import pytest
import socketio
from aiohttp import WSMsgType, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.web_protocol import RequestHandler
from engineio import exceptions, packet, payload
from engineio.async_drivers import aiohttp as driver
from engineio.async_socket import AsyncSocket
from engineio.base_socket import BaseSocket

from config.sections import Limits
from server.engine import Engine
from server.metrics import SECONDS, Metrics
from server.packets import Message
from server.sockets import SocketServer
from server.transport import PACKETS_PER_POLL, GameSocket
from server.websocket import OVER, WebSocket

CHECKED = {
    "python-engineio": "4.15.1",
    "python-socketio": "5.18.1",
    "aiohttp": "3.14.5",
    "prometheus-client": "0.26.0",
}

# Stock methods that ours stand in for or call, as they were when that was written.
SIGNATURES: dict[Callable[..., Any], str] = {
    engineio.AsyncServer.handle_request: "(self, *args, **kwargs)",
    engineio.AsyncServer._handle_connect: "(self, environ, transport, jsonp_index=None)",
    engineio.AsyncServer._upgrades: "(self, sid, transport)",
    engineio.AsyncServer._ok: "(self, packets=None, headers=None, jsonp_index=None)",
    engineio.AsyncServer._bad_request: "(self, message=None)",
    engineio.AsyncServer.generate_id: "(self)",
    AsyncSocket.poll: "(self)",
    AsyncSocket.handle_get_request: "(self, environ)",
    AsyncSocket.handle_post_request: "(self, environ)",
    AsyncSocket._upgrade_websocket: "(self, environ)",
    AsyncSocket.send: "(self, pkt)",
    AsyncSocket.close: "(self, wait=True, abort=False, reason=None)",
    AsyncSocket.schedule_ping: "(self)",
    packet.Packet.__init__: "(self, packet_type=6, data=None, encoded_packet=None)",
    packet.Packet.encode: "(self, b64=False)",
    socketio.AsyncServer._engineio_server_class: "(self)",
}

# Who calls what of ours, or reads it: (caller, names).
CALLS: list[tuple[Callable[..., Any], set[str]]] = [
    (
        engineio.AsyncServer.handle_request,
        {"_handle_connect", "handle_get_request", "handle_post_request", "sockets", "_get_socket"}
        | {"connected", "upgraded", "cors_allowed_origins", "disconnect", "_ok", "_bad_request"},
    ),
    (AsyncSocket.handle_get_request, {"upgrading", "upgraded", "poll", "upgrade_protocols"}),
    (engineio.AsyncServer.disconnect, {"close"}),
    (
        BaseSocket.__init__,
        {"queue", "connected", "upgrading", "upgraded", "closing", "closed", "sid", "server"},
    ),
    (packet.Packet.encode, {"encode_cache"}),
]

# What a class of ours replaces; anything else of that name would never be called.
REPLACED: list[tuple[type, type, set[str]]] = [
    (
        Engine,
        engineio.AsyncServer,
        {"generate_id", "handle_request", "_handle_connect", "_ok", "create_queue"},
    ),
    (
        GameSocket,
        AsyncSocket,
        {"send", "handle_get_request", "handle_post_request", "_upgrade_websocket"}
        | {"schedule_ping", "close", "poll"},
    ),
    (SocketServer, socketio.AsyncServer, {"_engineio_server_class"}),
]


@pytest.mark.parametrize(("package", "checked"), CHECKED.items())
def test_a_version_is_the_one_that_was_checked(package: str, checked: str) -> None:
    assert version(package) == checked, f"look at every seam in this file, then say {package} here"


@pytest.mark.parametrize("method", SIGNATURES, ids=lambda method: method.__qualname__)
def test_a_method_is_called_as_before(method: Callable[..., Any]) -> None:
    assert str(inspect.signature(method)) == SIGNATURES[method]


@pytest.mark.parametrize(
    ("caller", "names"), CALLS, ids=lambda one: getattr(one, "__qualname__", "")
)
def test_a_method_calls_what_we_replaced(caller: Callable[..., Any], names: set[str]) -> None:
    assert names <= set(caller.__code__.co_names)


def test_an_upgrade_goes_to_the_method_of_its_name() -> None:
    assert AsyncSocket.upgrade_protocols == ["websocket"]
    assert "_upgrade_" in AsyncSocket.handle_get_request.__code__.co_consts


@pytest.mark.parametrize(
    ("ours", "stock", "names"), REPLACED, ids=lambda one: getattr(one, "__name__", "")
)
def test_what_we_replace_is_there_and_takes_the_same(
    ours: type, stock: type, names: set[str]
) -> None:
    for name in names:
        mine = inspect.signature(vars(ours)[name]).parameters
        theirs = inspect.signature(inspect.getattr_static(stock, name)).parameters
        assert list(mine) == list(theirs) or "args" in theirs, name


def test_nothing_else_of_theirs_is_shadowed_by_chance() -> None:
    for ours, stock, names in REPLACED:
        shared = {name for name in vars(ours) if hasattr(stock, name) and name[:2] != "__"}
        assert shared == names, ours


async def test_an_engine_takes_the_options_that_it_is_given() -> None:
    engine = Engine(limits=Limits(ping_seconds=7, frame_bytes=2_000), node="n")
    assert (engine.ping_interval, engine.ping_timeout) == (7, 20)
    assert engine.max_http_buffer_size == 2_000
    assert engine.async_mode == "aiohttp"
    assert engine.start_service_task is False  # no task that looks after all clients
    assert engine.sockets == {}
    reasons = {"CLIENT_DISCONNECT", "SERVER_DISCONNECT", "PING_TIMEOUT", "TRANSPORT_CLOSE"}
    assert all(isinstance(getattr(engine.reason, one), str) for one in reasons)


async def test_a_socket_begins_as_theirs_does() -> None:
    socket = GameSocket(Engine(limits=Limits(), node="n"), "sid", "")
    state = (socket.connected, socket.upgrading, socket.upgraded, socket.closing, socket.closed)
    assert state == (False,) * 5
    assert socket.queue is None  # ours keep a list for polls


def test_a_connection_can_be_taken_from_aiohttp() -> None:
    slots = {*RequestHandler.__slots__, *BaseProtocol.__slots__}
    assert {"_message_tail", "_buffer_paused", "transport", "_manager"} <= slots
    ends = set(RequestHandler.connection_lost.__code__.co_names)
    # It hangs up what it still holds, and nothing else; its task goes on to our answer.
    assert {"_manager", "connection_lost", "force_close", "handler_cancellation"} <= ends
    assert {"transport", "close"} <= set(RequestHandler.force_close.__code__.co_names)
    answers = set(RequestHandler.finish_response.__code__.co_names)
    assert {"prepare", "write_eof", "_parser"} <= answers


async def test_a_connection_can_be_handed_to_aiohttp() -> None:
    async def never(_: object) -> Any:
        raise AssertionError

    server = web.Server(never)
    protocol = server()  # and what server/door.py then calls of it begins a connection
    assert isinstance(protocol, RequestHandler)
    assert not isinstance(protocol, asyncio.BufferedProtocol)
    names = RequestHandler.connection_made.__code__.co_names
    assert {"_keepalive_handle", "connection_made", "start"} <= set(names)


async def test_the_frame_reader_slows_down_who_is_not_read() -> None:
    class Wire:
        paused = False

        def is_closing(self) -> bool:
            return False

        def pause_reading(self) -> None:
            self.paused = True

        def resume_reading(self) -> None:
            self.paused = False

    wire = Wire()
    ws = WebSocket(cast("Any", wire), 65_536)
    frame = b"\x81\xfe\x40\x00" + bytes(4) + b"x" * 0x4000  # 16 KiB, masked with zeros
    ws.data_received(frame * 12)
    assert wire.paused
    for _ in range(12):
        kind, data, _ = await ws.read()
        assert (kind, len(data)) == (WSMsgType.TEXT, 0x4000)
    assert not wire.paused
    ws.data_received(b"\x89\x80" + bytes(4))
    assert (await ws.read()).type is WSMsgType.PING
    ws.connection_lost(None)
    with pytest.raises(OVER):
        await ws.read()


def test_a_request_is_translated_with_what_we_read() -> None:
    names = {"aiohttp.request", "wsgi.input", "CONTENT_LENGTH", "HTTP_%s"}
    constants: set[object] = set()
    for constant in driver.translate_request.__code__.co_consts:
        constants |= set(constant) if isinstance(constant, tuple) else {constant}
    assert names <= constants


def test_packets_have_the_types_and_the_cache_that_we_use() -> None:
    types = (packet.OPEN, packet.CLOSE, packet.PING, packet.PONG, packet.MESSAGE)
    assert (*types, packet.UPGRADE, packet.NOOP) == (0, 1, 2, 3, 4, 5, 6)
    assert packet.Packet(packet.MESSAGE, "a").encode_cache is None
    message = Message("a")
    message.data = "b"
    assert message.encode(b64=True) == "4a"
    assert packet.Packet(encoded_packet="bAQI=").data == b"\x01\x02"
    assert payload.Payload.max_decode_packets == PACKETS_PER_POLL
    for error in (exceptions.UnknownPacketError, exceptions.ContentTooLongError):
        assert issubclass(error, exceptions.EngineIOError)


def test_a_histogram_keeps_its_times_where_they_are_added_up() -> None:
    metrics = Metrics()
    for seconds in (0.0001, 0.0005, 0.3, 60):
        metrics.tally("event", "e").add("ok", seconds)
    metrics.scrape()
    child = metrics.seconds.labels("event", "e")
    assert len(child._buckets) == len(SECONDS) + 1
    labels = {"kind": "event", "name": "e"}
    sample = metrics.registry.get_sample_value
    assert sample("showdown_request_seconds_count", labels) == 4
    assert sample("showdown_request_seconds_sum", labels) == pytest.approx(60.3006)
    assert sample("showdown_request_seconds_bucket", {**labels, "le": "0.0005"}) == 2
    assert sample("showdown_request_seconds_bucket", {**labels, "le": "10.0"}) == 3
