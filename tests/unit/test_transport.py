"""Frames, and what a socket keeps for a client until it can be written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from engineio import packet, payload
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol

from config.sections import Limits
from server.engine import Engine
from server.packets import Message, frame_of
from server.transport import PACKETS_PER_POLL, GameSocket
from server.websocket import BINARY_FRAME, websocket_frame

SIZES = (0, 1, 125, 126, 127, 65_535, 65_536, 200_000)


def read(frames: bytes) -> list[tuple[str, str | bytes]]:
    """The messages that a client of another house makes of frames, with their kinds."""
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(frames)
    messages: list[tuple[str, str | bytes]] = []
    open_one = False
    for frame in client.received_frames():
        if open_one:  # a long one comes in pieces
            kind, begun = messages.pop()
            messages.append((kind, begun + frame.payload))  # type: ignore[operator]
        else:
            messages.append((frame.opcode.name, cast("str | bytes", frame.payload)))
        open_one = not frame.message_finished
    return messages


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_read_as_it_was_written(size: int) -> None:
    assert read(websocket_frame(b"x" * size)) == [("TEXT", "x" * size)]
    assert read(websocket_frame(b"\xff" * size, BINARY_FRAME)) == [("BINARY", b"\xff" * size)]


def test_frames_one_after_the_other_stay_apart() -> None:
    frames = b"".join(
        websocket_frame(b"%d" % size) + websocket_frame(b"x" * size) for size in SIZES
    )
    texts = [text for _, text in read(frames)]
    assert texts == [text for size in SIZES for text in (str(size), "x" * size)]


@given(st.text(max_size=300))
def test_a_message_is_encoded_once_and_the_same_on_both_transports(text: str) -> None:
    message = Message(text)
    stock = packet.Packet(packet.MESSAGE, text)
    assert message.encode() == stock.encode() == "4" + text
    assert message.frame.endswith(("4" + text).encode())
    assert payload.Payload(packets=[message, stock]).encode() == f"4{text}\x1e4{text}"


# A socket whose client polls


class Node:
    """An engine without a server around it; remembers who overflowed."""

    def __init__(self, **limits: Any) -> None:
        self.engine = Engine(limits=Limits(**limits), node="0badf00d")
        self.overflowed: list[GameSocket] = []
        self.gone: list[str] = []
        self.engine.on_overflow = self.overflowed.append
        self.engine.on_disconnect = self._disconnected
        self.engine.on_message = self._message
        self.messages: list[str | bytes] = []

    async def _disconnected(self, socket: GameSocket) -> None:
        self.gone.append(socket.sid)

    async def _message(self, _: GameSocket, data: str | bytes) -> None:
        self.messages.append(data)

    def socket(self) -> GameSocket:
        made = GameSocket(self.engine, self.engine.generate_id(), "127.0.0.1")
        self.engine.sockets[made.sid] = made
        return made


async def waiting(socket: GameSocket) -> list[str]:
    """What the next poll would bring."""
    return [one.encode() for one in await socket.poll()]


async def test_what_is_posted_waits_for_a_poll_in_its_order() -> None:
    socket = Node().socket()
    for text in "abc":
        socket.post(Message(text))
    assert 0 < socket.waiting_bytes <= len("4a4b4c")
    assert await waiting(socket) == ["4a", "4b", "4c"]


async def test_a_poll_brings_no_more_than_a_stock_client_takes() -> None:
    socket = Node().socket()
    texts = [str(number) for number in range(PACKETS_PER_POLL + 4)]
    for text in texts:
        socket.post(Message(text))
    taken = await waiting(socket)
    assert len(taken) == PACKETS_PER_POLL
    assert 0 < socket.waiting_bytes <= 4 * len("4nn")
    assert taken + await waiting(socket) == ["4" + text for text in texts]
    assert socket.waiting_bytes == 0


async def test_a_binary_message_fits_both_transports() -> None:
    pkt = packet.Packet(packet.MESSAGE, b"\x01\x02")
    assert read(frame_of(pkt)) == [("BINARY", b"\x01\x02")]
    assert payload.Payload(packets=[pkt]).encode() == "bAQI="
    assert read(frame_of(pkt)) == [("BINARY", b"\x01\x02")]


async def test_what_is_held_comes_after_what_is_released_first() -> None:
    socket = Node().socket()
    socket.hold()
    socket.post(Message("event"))
    socket.release(Message("connected"), Message("ready"))
    socket.post(Message("later"))
    assert await waiting(socket) == ["4connected", "4ready", "4event", "4later"]


async def test_what_is_discarded_is_not_sent() -> None:
    socket = Node().socket()
    socket.hold()
    socket.post(Message("event"))
    socket.discard()
    socket.post(Message("refused"))
    assert await waiting(socket) == ["4refused"]


async def test_a_client_that_does_not_poll_is_given_up_at_the_limit() -> None:
    node = Node(send_buffer_bytes=4_096)
    socket = node.socket()
    for _ in range(4):
        socket.post(Message("x" * 999))
    assert node.overflowed == []
    socket.post(Message("x" * 2_000))
    assert node.overflowed == [socket]


async def test_what_a_poll_took_does_not_count_any_more() -> None:
    node = Node(send_buffer_bytes=4_096)
    socket = node.socket()
    for _ in range(10):
        socket.post(Message("x" * 2_000))
        await socket.poll()
    assert node.overflowed == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4a", ["a"]), ("4", [""]), ("bAQI=", [b"\x01\x02"]), ("3", []), ("2", [])],
)
async def test_an_engine_packet_is_taken_by_its_type(
    text: str, expected: list[str | bytes]
) -> None:
    node = Node()
    socket = node.socket()
    await socket._receive(text)
    assert node.messages == expected
    await socket.close(abort=True)


async def test_a_close_tells_the_application_once_and_the_client_at_the_end() -> None:
    node = Node()
    socket = node.socket()
    socket.post(Message("last words"))
    await asyncio.gather(*(socket.close() for _ in range(3)))
    assert node.gone == [socket.sid]
    assert node.engine.sockets == {}
    assert await waiting(socket) == ["4last words", "1"]
    socket.post(Message("too late"))
    assert await waiting(socket) == []


async def test_a_close_ends_although_the_application_fails() -> None:
    node = Node()
    socket = node.socket()

    async def fail(_: GameSocket) -> None:
        raise ValueError

    node.engine.on_disconnect = fail
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        await socket.close(abort=True)
    assert socket.closed
    assert node.engine.sockets == {}


async def test_no_timer_outlives_a_socket() -> None:
    loop = asyncio.get_running_loop()
    node = Node(ping_seconds=0.01, ping_timeout_seconds=0.01)
    socket = node.socket()
    socket.schedule_ping()
    await socket.close(abort=True)
    socket.schedule_ping()
    timers: list[Callable[..., Any]] = [one for one in loop._scheduled if not one.cancelled()]  # type: ignore[attr-defined]
    assert timers == []


async def test_who_answers_no_ping_is_taken_for_gone() -> None:
    node = Node(ping_seconds=0.01, ping_timeout_seconds=0.01)
    socket = node.socket()
    socket.schedule_ping()
    assert await waiting(socket) == ["2"]
    assert await waiting(socket) == []  # the end of the connection ends the poll
    assert node.gone == [socket.sid]


async def test_an_id_says_on_which_node_its_session_lives() -> None:
    engine = Node().engine
    ids = {engine.generate_id() for _ in range(100)}
    assert len(ids) == 100
    assert {one.partition(".")[0] for one in ids} == {"0badf00d"}


# A socket on a WebSocket


class Transport:
    """A client that takes nothing; what was written to it, or a failure."""

    def __init__(self, *, broken: bool = False) -> None:
        self.writes: list[bytes] = []
        self.broken = broken

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return len(b"".join(self.writes))

    def write(self, data: bytes) -> None:
        if self.broken:
            raise RuntimeError("closed")
        self.writes.append(data)


def on_websocket(node: Node, transport: Transport) -> GameSocket:
    socket = node.socket()
    socket._transport = cast("asyncio.WriteTransport", transport)
    return socket


async def test_what_one_turn_of_the_loop_posts_is_one_write_and_one_failure_is_nobody_elses() -> (
    None
):
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    node, lines = Node(), [Transport(), Transport(broken=True), Transport()]
    sockets = [on_websocket(node, line) for line in lines]
    for text in "ab":
        for socket in sockets:
            socket.post(Message(text))
    await asyncio.sleep(0.01)
    assert [line.writes for line in lines] == [
        [b"\x81\x024a\x81\x024b"],
        [],
        [b"\x81\x024a\x81\x024b"],
    ]
    sockets[0].post(Message("c"))
    await asyncio.sleep(0.01)
    assert lines[0].writes[1:] == [b"\x81\x024c"]


async def test_what_may_be_skipped_is_skipped_from_half_of_the_buffer_on() -> None:
    node, line = Node(send_buffer_bytes=100_000), Transport()
    socket = on_websocket(node, line)
    offered = []
    for _ in range(6):
        offered.append(socket.offer(Message("x" * 20_000)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert offered == [True, True, True, False, False, False]
    line.writes.clear()
    assert socket.offer(Message("again"))
    assert not node.overflowed
